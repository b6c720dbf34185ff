"""The seam to the network: httpx on aiohttp's connections, and what a failure of it says about a request.

Cheaper than httpx's own pool and without its cancellation fault. To go back to plain httpx, return an
`httpx.AsyncHTTPTransport` here; nothing else knows of aiohttp.
"""

from __future__ import annotations

import functools
import ssl

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

KEEP_ALIVE = 5.0
"""Seconds that an idle connection is kept; shorter than common servers and proxies keep theirs."""


def network(*, connections: int, proxy: str, ca_file: str) -> httpx.AsyncBaseTransport:
    """A transport with at most `connections` connections. Proxies of the environment are never used.

    aiohttp by itself sends a PUT or DELETE a second time when a kept connection turns out to be dead. That is switched
    off here: no layer of this program repeats a write.
    """
    verify = _trust(ca_file)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEP_ALIVE, ssl=verify)
        client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        client._retry_connection = False  # no public switch exists; a test counts the requests of a cut connection
        return client

    return AiohttpTransport(verify=verify, trust_env=False, proxy=httpx.Proxy(proxy) if proxy else None, client=session)


def never_sent(error: Exception) -> bool:
    """Whether a failed request surely never left this machine, so that a write cannot have been applied.

    The aiohttp transport calls every broken connection a `ConnectTimeout`, also one that was cut after the request had
    been sent. Only the original error tells the two apart.
    """
    cause = error.__cause__
    if isinstance(cause, (aiohttp.ClientError, OSError)):
        return isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    return isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))


@functools.cache
def _trust(ca_file: str) -> ssl.SSLContext:
    """The certificate authorities that are trusted; reading them is slow, so it is done once."""
    return ssl.create_default_context(cafile=ca_file or None)
