"""The whole web application, asked in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from app.http import application
from app.office import office
from app.settings import Settings
from ingest.ledger.files import OpenLedger
from registry import clients
from tests.support.ledgers import NOW


class Web:
    """A client of one application; ``token`` is sent with every request when there is one."""

    def __init__(self, settings: Settings, file: OpenLedger, *, operator: bool = False) -> None:
        self.file = file
        self.app = application(office(settings, file), settings, operator=operator)
        self.token: str | None = None

    def sign_in(self, *scopes: str, name: str = "soft", sites: tuple[str, ...] = ()) -> None:
        """Be a client with these scopes from now on."""
        self.token = self.file.writer.write(lambda connection: clients.add(connection, name, scopes, sites, NOW))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - what httpx takes
        """One request."""
        return asyncio.run(self._ask(method, path, **more))

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as above
        headers = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **more.pop("headers", {})}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers=headers, **more)

    def get(self, path: str, **query: str | int) -> httpx.Response:
        """GET."""
        return self.ask("GET", path, params=query)

    def post(self, path: str, body: object = None) -> httpx.Response:
        """POST with a JSON body."""
        return self.ask("POST", path, json=body)
