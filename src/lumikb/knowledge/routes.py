"""Routes of knowledge bases."""

from typing import Annotated

from litestar import Request, Router, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Parameter
from sqlalchemy import Connection

from lumikb.http.pages import PageBody, page_body
from lumikb.http.permission import Permission, requires
from lumikb.identity.models import Actor
from lumikb.kit.pages import LIMIT_DEFAULT, PageRequest
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.wire import KbBody, KbCreate, KbPatch, KbStatsBody, kb_body, kb_stats_body
from lumikb.store.record.engine import Record, UnitOfWork

ActorRequest = Request[Actor, None, State]
Purge = Annotated[bool, Parameter(description="Erase the documents too, instead of keeping them archived.")]


@get(["/knowledge-bases", "/collections"], opt=requires(Permission.KB_READ), summary="List knowledge bases")
async def list_kbs(
    request: ActorRequest,
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    page: int = 1,
    limit: int = LIMIT_DEFAULT,
) -> PageBody[KbBody]:
    """The knowledge bases that the caller may read, by name."""
    wanted = PageRequest(page, limit)
    found = await record.read_async(lambda connection: bases.list_kbs(connection, request.user, wanted))
    return page_body(found, kb_body)


@post(
    ["/knowledge-bases", "/collections"],
    opt=requires(Permission.KB_CREATE, creates=True),
    summary="Create a knowledge base",
)
async def create_kb(
    request: ActorRequest, bases: NamedDependency[KnowledgeBaseService], record: NamedDependency[Record], data: KbCreate
) -> KbBody:
    """Create an empty knowledge base; 409 `KB_NAME_TAKEN` when its name is in use."""
    return kb_body(await record.write_async(lambda unit: bases.create(unit, request.user, data.name, data.description)))


@get("/knowledge-bases/{kb_id:str}", opt=requires(Permission.KB_READ), summary="Read a knowledge base")
async def get_kb(
    request: ActorRequest, bases: NamedDependency[KnowledgeBaseService], record: NamedDependency[Record], kb_id: str
) -> KbBody:
    """One knowledge base with its size."""
    return kb_body(await record.read_async(lambda connection: bases.get(connection, request.user, kb_id)))


@patch("/knowledge-bases/{kb_id:str}", opt=requires(Permission.KB_ADMIN), summary="Change a knowledge base")
async def update_kb(
    request: ActorRequest,
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    kb_id: str,
    data: KbPatch,
) -> KbBody:
    """Change its name or description."""
    changed = await record.write_async(
        lambda unit: bases.update(unit, request.user, kb_id, data.name, data.description)
    )
    return kb_body(changed)


@delete("/knowledge-bases/{kb_id:str}", opt=requires(Permission.KB_ADMIN), summary="Delete a knowledge base")
async def delete_kb(
    request: ActorRequest,
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    kb_id: str,
    purge: Purge = False,
) -> None:
    """Archive it: nobody finds it any more, and its name is free. With `purge` its documents are erased."""
    await record.write_async(lambda unit: bases.delete(unit, request.user, kb_id, purge=purge))


@get("/knowledge-bases/{kb_id:str}/stats", opt=requires(Permission.KB_READ), summary="Count what it holds")
async def get_kb_stats(
    request: ActorRequest, bases: NamedDependency[KnowledgeBaseService], record: NamedDependency[Record], kb_id: str
) -> KbStatsBody:
    """Documents by status, chunks, vectors and bytes."""
    return kb_stats_body(await record.read_async(lambda connection: bases.stats(connection, request.user, kb_id)))


@get("/collections/{name:str}", opt=requires(Permission.KB_READ), summary="Read a knowledge base by name")
async def get_collection(
    request: ActorRequest, bases: NamedDependency[KnowledgeBaseService], record: NamedDependency[Record], name: str
) -> KbBody:
    """The knowledge base with this name; 404 lists some that the caller may read."""
    return kb_body(await record.read_async(lambda connection: bases.get_by_name(connection, request.user, name)))


@patch("/collections/{name:str}", opt=requires(Permission.KB_ADMIN), summary="Change a knowledge base by name")
async def update_collection(
    request: ActorRequest,
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    name: str,
    data: KbPatch,
) -> KbBody:
    """Change its name or description."""

    def change(unit: UnitOfWork) -> KbBody:
        kb = bases.get_by_name(unit.connection, request.user, name, Permission.KB_ADMIN)
        return kb_body(bases.update(unit, request.user, kb.id, data.name, data.description))

    return await record.write_async(change)


@delete("/collections/{name:str}", opt=requires(Permission.KB_ADMIN), summary="Delete a knowledge base by name")
async def delete_collection(
    request: ActorRequest,
    bases: NamedDependency[KnowledgeBaseService],
    record: NamedDependency[Record],
    name: str,
    purge: Purge = False,
) -> None:
    """Archive it, or with `purge` erase its documents too."""

    def remove(unit: UnitOfWork) -> None:
        kb = bases.get_by_name(unit.connection, request.user, name, Permission.KB_ADMIN)
        bases.delete(unit, request.user, kb.id, purge=purge)

    await record.write_async(remove)


@get("/collections/{name:str}/stats", opt=requires(Permission.KB_READ), summary="Count what it holds, by name")
async def get_collection_stats(
    request: ActorRequest, bases: NamedDependency[KnowledgeBaseService], record: NamedDependency[Record], name: str
) -> KbStatsBody:
    """Documents by status, chunks, vectors and bytes."""

    def count(connection: Connection) -> KbStatsBody:
        kb = bases.get_by_name(connection, request.user, name)
        return kb_stats_body(bases.stats(connection, request.user, kb.id))

    return await record.read_async(count)


kb_router = Router(
    path="/",
    tags=["Knowledge bases"],
    route_handlers=[
        list_kbs,
        create_kb,
        get_kb,
        update_kb,
        delete_kb,
        get_kb_stats,
        get_collection,
        update_collection,
        delete_collection,
        get_collection_stats,
    ],
)
