"""The main job on the embedded profile, and what a first start is like."""

from collections.abc import Callable

import httpx
import pytest
from support.server import ADMIN_EMAIL, ADMIN_PASSWORD, LumiClient, LumiServer

from .main_job import check_main_job, check_survives

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]


def test_the_main_job_and_what_is_left_of_it_after_a_restart(serve: ServerFactory) -> None:
    server = serve()
    with server.client() as api:
        check_main_job(api, "Opera")
    assert server.stop() == 0
    server.start()
    with server.client() as api:
        check_survives(api, "Opera")


def test_the_one_time_link_makes_the_administrator_once(serve: ServerFactory) -> None:
    server = serve()
    form = {"token": server.setup_token(), "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    with LumiClient(server.url) as api:
        assert api.post("/auth/setup", json={**form, "token": "x" * 43}).status_code == 401
        assert api.post("/auth/setup", json={**form, "password": "short"}).status_code == 422
        assert api.post("/auth/setup", json={**form, "email": "no address"}).status_code == 422
        done = api.post("/auth/setup", json=form)
        assert done.status_code == 200
        assert done.json()["user"]["permission_level"] == 3
        assert api.get("/users/me").json()["email"] == ADMIN_EMAIL  # the cookie
        assert api.post("/auth/setup", json=form).status_code == 410


def test_a_new_link_replaces_the_old_one_and_none_is_printed_afterwards(serve: ServerFactory) -> None:
    server = serve()
    old = server.setup_token()
    server.stop()
    server.start()
    new = server.setup_token()
    form = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    with LumiClient(server.url) as api:
        assert api.post("/auth/setup", json={**form, "token": old}).status_code == 401
        assert api.post("/auth/setup", json={**form, "token": new}).status_code == 200
    server.stop()
    links = server.printed().count("?setup=")
    server.start()
    assert server.printed().count("?setup=") == links
    with LumiClient(server.url) as api:
        signed_in = api.post("/auth/login", json=form)
        assert signed_in.status_code == 200


def test_secrets_are_for_their_owner_and_in_no_log(serve: ServerFactory) -> None:
    server = serve(admin_email=ADMIN_EMAIL, admin_password=ADMIN_PASSWORD, log_level="debug")
    with LumiClient(server.url) as api:
        tokens = api.post("/auth/login", json={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}).json()
    secrets = [server.token, ADMIN_PASSWORD, tokens["access_token"], tokens["refresh_token"]]
    for name in ("server.json", "jwt-secret"):
        assert (server.data_dir / name).stat().st_mode & 0o077 == 0
    server.stop()
    printed = server.printed()
    assert not [secret for secret in secrets if secret in printed]


def test_silence_on_a_stream_is_filled_with_comments(serve: ServerFactory) -> None:
    """The first search of a process loads the model, which takes longer than this heartbeat."""
    server = serve(heartbeat_seconds=0.05)
    with server.client() as api:
        api.create_kb("Silent")
        with api.stream("GET", "/search", params={"query": "anything at all"}) as response:
            body = response.read().decode()
    assert ": heartbeat\n\n" in body
    assert body.replace(": heartbeat\n\n", "").startswith("id: 1\nevent: done\n")


def test_metrics_are_for_the_addresses_that_may_read_them(serve: ServerFactory) -> None:
    server = serve(metrics_allow="192.0.2.1")
    response = httpx.get(f"{server.url}/metrics", trust_env=False)
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "NOT_ALLOWED"


def test_a_data_directory_serves_one_process(serve: ServerFactory) -> None:
    server = serve()
    second = LumiServer(server.data_dir)
    with pytest.raises(AssertionError, match="Another LumiKB process"):
        second.start()
    with server.client() as api:
        assert api.get("/users/me").status_code == 200
