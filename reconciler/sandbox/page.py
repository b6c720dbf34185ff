"""The sandbox's page for people: both sides' tasks next to each other, to be edited by hand. No JavaScript."""

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.work import WorkSystem


def page_app(crm: CrmSystem, work: WorkSystem) -> ASGIApp:
    """The page as an ASGI app."""

    async def show(request: HttpRequest) -> HTMLResponse:
        return HTMLResponse("sandbox")

    return Starlette(routes=[Route("/", show)])
