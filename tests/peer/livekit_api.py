"""LiveKit's server API by LiveKit's own Python package, for tests and for people: prints one line of JSON.

usage: livekit_api.py URL KEY SECRET COMMAND [JSON]

  token              {"identity", "room", "kind"?, "name"?, "attributes"?, "ttl_s"?}    -> {"token"}
  Any method of the SIP service by its name in snake case, with the request as protobuf JSON:
  create_inbound_trunk, create_outbound_trunk, list_inbound_trunk, list_outbound_trunk, delete_trunk,
  create_dispatch_rule, list_dispatch_rule, delete_dispatch_rule,
  update_inbound_trunk, update_outbound_trunk, update_dispatch_rule (the new one, then the id of the old),
  create_participant, transfer_participant
  dispatches ROOM    agents that are dispatched to a room -> [name]
  room NAME-OF-METHOD {"request"}: list_rooms, delete_room, remove_participant, list_participants,
  mute_published_track, update_participant, send_data ...
A refusal is {"error": {"code", "message", "status", "metadata"}} and exit code 3.
"""
import asyncio
import datetime
import json
import sys

from google.protobuf import json_format
from livekit import api
from livekit.protocol import room as room_proto
from livekit.protocol import sip as sip_proto

SIP = {
    "create_inbound_trunk": ("create_sip_inbound_trunk", sip_proto.CreateSIPInboundTrunkRequest),
    "create_outbound_trunk": ("create_sip_outbound_trunk", sip_proto.CreateSIPOutboundTrunkRequest),
    "list_inbound_trunk": ("list_sip_inbound_trunk", sip_proto.ListSIPInboundTrunkRequest),
    "list_outbound_trunk": ("list_sip_outbound_trunk", sip_proto.ListSIPOutboundTrunkRequest),
    "delete_trunk": ("delete_sip_trunk", sip_proto.DeleteSIPTrunkRequest),
    "create_dispatch_rule": ("create_sip_dispatch_rule", sip_proto.CreateSIPDispatchRuleRequest),
    "list_dispatch_rule": ("list_sip_dispatch_rule", sip_proto.ListSIPDispatchRuleRequest),
    "delete_dispatch_rule": ("delete_sip_dispatch_rule", sip_proto.DeleteSIPDispatchRuleRequest),
    "update_inbound_trunk": ("update_sip_inbound_trunk", sip_proto.SIPInboundTrunkInfo),
    "update_outbound_trunk": ("update_sip_outbound_trunk", sip_proto.SIPOutboundTrunkInfo),
    "update_dispatch_rule": ("update_sip_dispatch_rule", sip_proto.SIPDispatchRuleInfo),
    "create_participant": ("create_sip_participant", sip_proto.CreateSIPParticipantRequest),
    "transfer_participant": ("transfer_sip_participant", sip_proto.TransferSIPParticipantRequest),
}
ROOM = {
    "list_rooms": room_proto.ListRoomsRequest,
    "create_room": room_proto.CreateRoomRequest,
    "delete_room": room_proto.DeleteRoomRequest,
    "list_participants": room_proto.ListParticipantsRequest,
    "remove_participant": room_proto.RoomParticipantIdentity,
    "mute_published_track": room_proto.MuteRoomTrackRequest,
    "update_participant": room_proto.UpdateParticipantRequest,
    "send_data": room_proto.SendDataRequest,
}


def shown(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def token(key, secret, wanted):
    made = api.AccessToken(key, secret).with_identity(wanted["identity"]).with_grants(
        api.VideoGrants(room_join=True, room=wanted["room"], can_update_own_metadata=True))
    made = made.with_name(wanted.get("name", wanted["identity"]))
    if "kind" in wanted:
        made = made.with_kind(wanted["kind"])
    if "attributes" in wanted:
        made = made.with_attributes(wanted["attributes"])
    made = made.with_ttl(datetime.timedelta(seconds=wanted.get("ttl_s", 3600)))
    return {"token": made.to_jwt()}


async def main():
    url, key, secret, command, *rest = sys.argv[1:]
    if command == "token":
        return token(key, secret, json.loads(rest[0]))
    async with api.LiveKitAPI(url, key, secret) as service:
        if command == "dispatches":
            return [d.agent_name for d in await service.agent_dispatch.list_dispatch(rest[0])]
        if command == "room":
            request = json_format.ParseDict(json.loads(rest[1] if len(rest) > 1 else "{}"), ROOM[rest[0]]())
            return shown(await getattr(service.room, rest[0])(request))
        method, kind = SIP[command]
        request = json_format.ParseDict(json.loads(rest[0] if rest else "{}"), kind())
        if command.startswith("update_"):
            # What is to be replaced is named beside what replaces it.
            return shown(await getattr(service.sip, method)(rest[1], request))
        return shown(await getattr(service.sip, method)(request))


try:
    print(json.dumps(asyncio.run(main())))
except api.TwirpError as e:
    print(json.dumps({"error": {"code": e.code, "message": e.message, "status": e.status,
                                "metadata": dict(e.metadata or {})}}))
    sys.exit(3)
