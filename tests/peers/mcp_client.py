"""FastMCP's client at an MCP server of somebody else: it finds out by itself where tokens come from, and signs in with client credentials.

One JSON object on standard input, one on standard output.
"""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.auth.client_credentials import ClientCredentialsOAuthProvider


async def attempt(call):
    try:
        return {"ok": await call}
    except Exception as error:  # the test reads it
        return {"error": f"{type(error).__name__}: {error}"}


async def walk(asked):
    async def listed(auth):
        async with Client(asked["url"], auth=auth) as client:
            return sorted(tool.name for tool in await client.list_tools())

    async def called(tool):
        # A connection for each: a refusal may end it.
        async with Client(asked["url"], auth=auth) as client:
            return (await client.call_tool(tool)).content[0].text

    auth = ClientCredentialsOAuthProvider(
        client_id=asked["client_id"],
        client_secret=asked["client_secret"],
        scopes=asked["scopes"] or None,
        issuer=asked["issuer"],
    )
    return {
        "tools": await attempt(listed(auth)),
        "stranger": await attempt(listed(None)),
        "called": {tool: await attempt(called(tool)) for tool in asked["tools"]},
    }


print(json.dumps(asyncio.run(walk(json.load(sys.stdin)))))
