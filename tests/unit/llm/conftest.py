"""The stand-in, and models that ask it."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack

import pytest
from support.model_server import ModelServer, running_model_server

from lumikb.llm.openai_model import OpenAiLanguageModel

MakeModel = Callable[..., OpenAiLanguageModel]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_server() -> Generator[ModelServer]:
    with running_model_server() as server:
        yield server


@pytest.fixture
def server(shared_server: ModelServer) -> ModelServer:
    shared_server.reset()
    return shared_server


@pytest.fixture
async def make_model(server: ModelServer) -> AsyncGenerator[MakeModel]:
    """Makes models of the stand-in by the words for its behaviour."""
    async with AsyncExitStack() as stack:

        def make(
            behaviour: str = "", *, url: str = "", key: str = "", seconds: float = 30, first_seconds: float = 20
        ) -> OpenAiLanguageModel:
            model = OpenAiLanguageModel(
                url or server.url,
                key,
                f"stand-in:{behaviour}",
                seconds_max=seconds,
                first_token_seconds_max=first_seconds,
            )
            model.open()
            stack.push_async_callback(model.close)
            return model

        yield make
