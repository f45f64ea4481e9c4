"""An MCP server and a client of FastMCP, both by the emulator's word: the client signs in with client credentials, the server checks its token.

One JSON object on standard input, one on standard output.
"""

import asyncio
import json
import sys

from fastmcp import Client, FastMCP
from fastmcp.client.auth.client_credentials import ClientCredentialsOAuthProvider
from fastmcp.server.auth import RemoteAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token


async def walk(asked):
    issuer, origin = asked["issuer"], f"http://127.0.0.1:{asked['port']}"
    resource = f"{origin}/mcp"
    verifier = JWTVerifier(
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        issuer=issuer,
        audience=resource,
        algorithm="ES256",
        required_scopes=["mcp:read"],
    )
    server = FastMCP("peer", auth=RemoteAuthProvider(verifier, authorization_servers=[issuer], base_url=origin))

    @server.tool
    def who() -> str:
        """The client id of the token."""
        return get_access_token().client_id

    running = asyncio.create_task(
        server.run_http_async(host="127.0.0.1", port=asked["port"], show_banner=False, log_level="critical")
    )
    while not running.done():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", asked["port"])
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.05)
    said = {}
    for name, secret in (("allowed", asked["client_secret"]), ("refused", "wrong")):
        auth = ClientCredentialsOAuthProvider(
            client_id=asked["client_id"], client_secret=secret, scopes=["mcp:read"], issuer=issuer
        )
        try:
            async with Client(resource, auth=auth) as client:
                said[name] = (await client.call_tool("who")).data
        except Exception as error:  # the test reads it
            said[name] = f"error: {type(error).__name__}: {error}"
    running.cancel()
    return said


print(json.dumps(asyncio.run(walk(json.load(sys.stdin)))))
