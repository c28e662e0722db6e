"""Twirp as it goes over the wire: requests from standard input, each sent as it stands; prints what came back.

usage: twirp.py URL KEY SECRET < REQUESTS

REQUESTS is a list of {"method", "body", "grants"?: {"admin", "call", "room"}, "secret"?, "key"?, "header"?,
"content_type"?, "verb"?}; a body that is text goes as it stands, "$1" in it is the id that the first answer had.
Answers are {"status", "body"}, the body parsed where it is JSON.
"""
import json
import re
import sys
import urllib.error
import urllib.request

from livekit import api

url, key, secret = sys.argv[1:4]
answers = []


def token(request):
    grants = request.get("grants", {"admin": True, "call": True})
    made = api.AccessToken(request.get("key", key), request.get("secret", secret)).with_sip_grants(
        api.access_token.SIPGrants(admin=grants.get("admin", False), call=grants.get("call", False)))
    if "room" in grants:
        made = made.with_grants(api.VideoGrants(room_admin=True, room=grants["room"]))
    return made.to_jwt()


def id_of(number):
    body = answers[int(number) - 1]["body"]
    return body.get("sip_trunk_id") or body.get("sip_dispatch_rule_id") or "none"


def send(request):
    body = request["body"] if isinstance(request["body"], str) else json.dumps(request["body"])
    body = re.sub(r"\$(\d+)", lambda found: id_of(found[1]), body).encode()
    asked = urllib.request.Request(
        f"{url}/twirp/livekit.SIP/{request['method']}", data=body, method=request.get("verb", "POST"),
        headers={"Content-Type": request.get("content_type", "application/json")})
    header = request.get("header", f"Bearer {token(request)}")
    if header:
        asked.add_header("Authorization", header)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


for request in json.load(sys.stdin):
    status, body = send(request)
    try:
        body = json.loads(body)
    except ValueError:
        body = {"text": body.decode(errors="replace")}
    answers.append({"status": status, "body": body})
print(json.dumps(answers))
