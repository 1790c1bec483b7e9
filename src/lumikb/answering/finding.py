"""What an answer is drawn from, and what is shown beside it."""

from dataclasses import replace

from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.retrieval.models import Found, Hit, SearchRequest
from lumikb.retrieval.service import RetrievalService


def find_passages(
    retrieval: RetrievalService, actor: Actor, request: SearchRequest, permission: Permission, passages: int
) -> tuple[list[Hit], Found]:
    """Up to `passages` of the best for the answer, of later pages of a search too; and the page that was asked for."""
    found = retrieval.find(actor, replace(request, cursor=None), permission, at_least=passages)
    shown = replace(found, hits=found.hits[: request.limit])
    if request.cursor is not None:
        shown = retrieval.find(actor, request, permission)
    return found.hits[:passages], shown
