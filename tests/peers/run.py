"""Runs the vendor's SDK and `cryptography` as peers: one JSON request a line on standard input, one JSON answer a line."""

import base64
import json
import os
import secrets
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLOCK = {"now": None}
REAL_TIME = time.time
REAL_RANDOM = os.urandom


def pin(now, nonce):
    """Fixes what the SDK takes from its surroundings: the time, and every random byte."""
    time.time = lambda: float(now)
    fixed = base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))

    def random(length=None):
        return (fixed * 8)[: length or 32]

    os.urandom = random
    secrets.token_bytes = random
    secrets.token_urlsafe = lambda length=None: base64.urlsafe_b64encode(random(length)).rstrip(b"=").decode()


def client(request):
    from lumoauth import AAuthClient

    return AAuthClient(
        request.get("agent", "https://agent.example/"),
        request["pem"],
        base_url=request.get("base_url", "https://auth.acme.test"),
        org_id=request.get("org_id", "acme"),
    )


def sign(request):
    if "created" in request:
        pin(request["created"], request["nonce"])
    body = request.get("body")
    headers = client(request).sign_request(
        request["method"],
        request["url"],
        body=None if body is None else body.encode(),
        content_type=request.get("content_type", "application/json"),
        agent_token=request.get("agent_token"),
        authorization=request.get("authorization", ""),
        signature_key=request.get("signature_key", ""),
    )
    return {"headers": headers}


def send(request):
    """A signed request over HTTP, by the SDK itself."""
    response = client(request).signed_request(
        request["method"], request["url"], auth_token=request["auth_token"], data=request.get("data")
    )
    return {"status": response.status_code, "text": response.text}


def keypair(_):
    from lumoauth import AAuthClient

    pem, jwks = AAuthClient.generate_keypair()
    return {"pem": pem, "jwks": jwks}


def load(request):
    """Loads a PEM of ours; says the public half in base64url."""
    key = serialization.load_pem_private_key(request["pem"].encode(), password=None)
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    signature = key.sign(request["message"].encode())
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    return {"x": encode(raw), "signature": encode(signature)}


PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)


def pss_sign(request):
    key = serialization.load_pem_private_key(request["pem"].encode(), password=None)
    signature = key.sign(request["message"].encode(), PSS, hashes.SHA512())
    return {"signature": base64.b64encode(signature).decode()}


def pss_verify(request):
    key = serialization.load_pem_private_key(request["pem"].encode(), password=None).public_key()
    key.verify(base64.b64decode(request["signature"]), request["message"].encode(), PSS, hashes.SHA512())
    return {}


def rsa_key(request):
    key = rsa.generate_private_key(public_exponent=65537, key_size=request["bits"])
    kind = {"pkcs8": serialization.PrivateFormat.PKCS8, "pkcs1": serialization.PrivateFormat.TraditionalOpenSSL}
    pem = key.private_bytes(serialization.Encoding.PEM, kind[request["format"]], serialization.NoEncryption())
    return {"pem": pem.decode()}


def agent(request):
    """The SDK's agent against a service: the answers of its main calls."""
    from lumoauth import LumoAuthAgent

    own = LumoAuthAgent(
        base_url=request["base_url"],
        org_id=request["org_id"],
        client_id=request["client_id"],
        client_secret=request["client_secret"],
    )
    own.authenticate()
    return {
        "allowed": own.is_allowed(request["allowed"]),
        "denied": own.is_allowed(request["denied"]),
        "mcp": bool(own.get_mcp_token(request["server"])),
    }


def approvals(request):
    """One call of the SDK's approvals; what it raises for a person who was not asked is an answer."""
    from lumoauth import LumoAuthAgent, LumoAuthApprovalNotDeliveredError

    own = LumoAuthAgent(
        base_url=request["base_url"],
        org_id=request["org_id"],
        client_id=request["client_id"],
        client_secret=request["client_secret"],
    )
    own.authenticate()
    named = request["named"]
    try:
        if request["name"] == "get_status":
            answer = own.approvals.get_status(named["token"])
        else:
            answer = getattr(own.approvals, request["name"])(**named)
    except LumoAuthApprovalNotDeliveredError as error:
        return {"answer": {"reason": error.reason}}
    return {"answer": answer if isinstance(answer, dict) else vars(answer)}


def step(request):
    """One step of the SDK's AAuth client, by its name and arguments."""
    return {"answer": getattr(client(request), request["name"])(*request["arguments"], **request.get("named", {}))}


def jit(request):
    """The SDK's walk through permissions just in time, with its calls of the file in between."""
    from lumoauth import JITContext, LumoAuthAgent

    own = LumoAuthAgent(
        base_url=request["base_url"],
        org_id=request["org_id"],
        client_id=request["client_id"],
        client_secret=request["client_secret"],
    )
    own.authenticate()
    context = JITContext(own)
    task = context.create_task(name="clean up", task_type="analysis")
    details = {"type": "file_access", "actions": ["read"], "identifier": "q3.pdf"}
    asked = context.request_permission(details, justification="to read it", wait_for_approval=False)
    waiting = context.request_permission({**details, "actions": ["delete"]}, wait_for_approval=True, poll_timeout=0)
    token = context.get_token(asked["request_id"])
    url = request["base_url"] + request["file"]
    called = context.call(token, "GET", url).status_code
    escalated = context.call_with_escalation("GET", url).status_code if request["escalate"] else None
    context.evaluate_task(result="failed", notes="no such file")
    done = context.complete_task()
    return {
        "task": task,
        "status": asked["status"],
        "waiting": waiting["status"],
        "called": called,
        "escalated": escalated,
        "done": done,
    }


def authz(request):
    """Calls of the SDK's client, each by its family and name; behind the arguments stands which member of the answer is wanted."""
    from lumoauth import LumoAuth, LumoAuthError

    credential = {"api_key": request["api_key"]} if "api_key" in request else {"token_provider": lambda: request["token"]}
    own = LumoAuth(base_url=request["base_url"], org_id=request["org_id"], **credential)
    answers = []
    for family, name, arguments, named, *members in request["calls"]:
        try:
            answer = getattr(getattr(own, family), name)(*arguments, **named)
        except LumoAuthError as error:
            answer, members = {"error": type(error).__name__}, []
        for member in members:
            answer = answer[member]
        answers.append(sorted(answer) if isinstance(answer, set) else answer)
    return {"answers": answers}


def reviewer(request):
    """A status, and what a reviewer does: the SDK's own calls, and those of the generated client that comes with it."""
    from lumoauth import LumoAuth
    from lumoauth_api_client.api.jit_api import JitApi
    from lumoauth_api_client.models.approve_request_request import ApproveRequestRequest
    from lumoauth_api_client.models.deny_request_request import DenyRequestRequest

    person = LumoAuth(
        base_url=request["base_url"], org_id=request["org_id"], token_provider=lambda: request["token"]
    )
    status = person.jit.get_status(request["status"]) if "status" in request else {"status": None}
    pending = person.jit.pending()
    generated = JitApi(person.api)
    approved = generated.approve_request(
        request["org_id"], request["approve"], ApproveRequestRequest(agent_message="only today")
    )
    denied = generated.deny_request(request["org_id"], request["deny"], DenyRequestRequest(reason="too much"))
    return {
        "status": status["status"],
        "pending": [item["request_id"] for item in pending],
        "approved": approved.status,
        "denied": denied.status,
    }


def quickstart(request):
    """The vendor's quickstart, line by line, with a browser that goes where it is sent."""
    from urllib.parse import parse_qs, urlsplit

    import requests
    from lumoauth import LumoAuthAgent
    from lumoauth.delegation import DelegationChain

    own = LumoAuthAgent(
        base_url=request["base_url"],
        org_id=request["org_id"],
        client_id=request["client_id"],
        client_secret=request["client_secret"],
    )
    said = {"authenticated": own.authenticate(scopes=["read:users", "write:documents"])}
    said["scopes"] = sorted(own.token_scopes)
    result = own.ask("delete_user", context={"user_id": "u-456"})
    said["denied"] = [result["allowed"], result["reason"], result["audit_id"].startswith("aud_")]
    said["may_read"] = own.is_allowed("read_document")
    said["name"] = own.get_agent_info()["name"]
    said["can_search"] = own.has_capability("web_search")
    said["budget"] = [bool(own.get_budget_status()), own.is_budget_exhausted()]
    chain = DelegationChain(own, redirect_uri="https://myapp.com/consent")
    url = chain.get_consent_url("session-1", scopes=["profile", "documents"])
    back = urlsplit(requests.get(url, allow_redirects=False).headers["location"])
    said["consent"] = chain.handle_consent_callback("session-1", parse_qs(back.query)["code"][0])
    token = chain.exchange("session-1", scopes=["documents"])
    said["actors"] = chain.parse_actor_chain(token)
    documents = f"/orgs/{request['org_id']}/api/v1/documents"
    said["documents"] = chain.request("session-1", "GET", documents).status_code
    said["revoked"] = chain.revoke("session-1")
    said["mcp"] = bool(own.get_mcp_token("https://mcp.acme.test/my-mcp-server"))
    return said


COMMANDS = {f.__name__: f for f in (sign, send, keypair, load, pss_sign, pss_verify, rsa_key, agent, approvals, step, jit, authz, reviewer, quickstart)}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = COMMANDS[asked.pop("do")](asked)
    except Exception as error:  # the test reads it
        answer = {"error": f"{type(error).__name__}: {error}"}
    finally:
        time.time, os.urandom = REAL_TIME, REAL_RANDOM
    print(json.dumps(answer), flush=True)
