"""Routes of conversations."""

from litestar import Request, Router, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from sqlalchemy import Connection

from lumikb.answering.service import ConversationService
from lumikb.answering.wire import (
    ConversationBody,
    ConversationDetail,
    ConversationForm,
    ConversationPatch,
    conversation_body,
    conversation_detail,
)
from lumikb.http.pages import PageBody, page_body
from lumikb.http.permission import Permission, requires
from lumikb.identity.models import Actor
from lumikb.kit.pages import LIMIT_DEFAULT, PageRequest
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.store.record.engine import Record, UnitOfWork

ActorRequest = Request[Actor, None, State]


@get("/conversations", opt=requires(Permission.SIGNED_IN), summary="List one's conversations")
async def list_conversations(
    request: ActorRequest,
    conversations: NamedDependency[ConversationService],
    record: NamedDependency[Record],
    page: int = 1,
    limit: int = LIMIT_DEFAULT,
) -> PageBody[ConversationBody]:
    """One's own, the one used last first."""
    asked = PageRequest(page, limit)
    found = await record.read_async(lambda read: conversations.list_conversations(read, request.user, asked))
    return page_body(found, conversation_body)


@post("/conversations", opt=requires(Permission.CONVERSATION_WRITE, creates=True), summary="Start a conversation")
async def create_conversation(
    request: ActorRequest,
    conversations: NamedDependency[ConversationService],
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    data: ConversationForm,
) -> ConversationBody:
    """An empty conversation; questions name it by `conversation_id`, and stay with its `kb_ids` if it has any."""

    def create(unit: UnitOfWork) -> ConversationBody:
        if data.kb_ids is not None:
            bases.chosen(unit.connection, request.user, data.kb_ids)
        return conversation_body(conversations.create(unit, request.user, data.title, data.kb_ids))

    return await record.write_async(create)


@get("/conversations/{conversation_id:str}", opt=requires(Permission.SIGNED_IN), summary="Read a conversation")
async def get_conversation(
    request: ActorRequest,
    conversations: NamedDependency[ConversationService],
    record: NamedDependency[Record],
    conversation_id: str,
) -> ConversationDetail:
    """The conversation with its messages, oldest first."""

    def read(connection: Connection) -> ConversationDetail:
        conversation = conversations.get(connection, request.user, conversation_id)
        return conversation_detail(conversation, conversations.messages(connection, request.user, conversation_id))

    return await record.read_async(read)


@patch(
    "/conversations/{conversation_id:str}",
    opt=requires(Permission.CONVERSATION_WRITE),
    summary="Rename a conversation",
)
async def rename_conversation(
    request: ActorRequest,
    conversations: NamedDependency[ConversationService],
    record: NamedDependency[Record],
    conversation_id: str,
    data: ConversationPatch,
) -> ConversationBody:
    """Give it another title."""
    return conversation_body(
        await record.write_async(lambda unit: conversations.rename(unit, request.user, conversation_id, data.title))
    )


@delete(
    "/conversations/{conversation_id:str}",
    opt=requires(Permission.CONVERSATION_WRITE),
    summary="Delete a conversation",
)
async def delete_conversation(
    request: ActorRequest,
    conversations: NamedDependency[ConversationService],
    record: NamedDependency[Record],
    conversation_id: str,
) -> None:
    """Remove it with its messages."""
    await record.write_async(lambda unit: conversations.delete(unit, request.user, conversation_id))


conversation_router = Router(
    path="/",
    tags=["Conversations"],
    route_handlers=[
        list_conversations,
        create_conversation,
        get_conversation,
        rename_conversation,
        delete_conversation,
    ],
)
