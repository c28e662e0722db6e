#!/usr/bin/env bash
# Is the telephony half well? A line a part: what is wrong, and what mends it. Exit code: how many parts are ill.
#   deploy/health_check.sh [FILE.env]       default: deploy/compose/.env beside this script, then the environment
set -u
here=$(cd "$(dirname "$0")" && pwd)
file=${1:-$here/compose/.env}
if [ -f "$file" ]; then
  # Only what is asked for below; a value is never printed. What the environment says goes first.
  while IFS='=' read -r name value; do
    case "$name" in
      LIVEKIT_*|REDIS_*|SIP_PORT|TRUNKLINE_*) [ -n "${!name:-}" ] || export "$name=${value%$'\r'}" ;;
    esac
  done < <(grep -E '^[A-Z_]+=' "$file")
fi
redis_port=${REDIS_PORT:-6379} livekit_port=${LIVEKIT_PORT:-7880}
sip_port=${SIP_PORT:-5060} health_port=${TRUNKLINE_HEALTH_PORT:-8086}
ill=0
well() { printf 'ok    %-10s %s\n' "$1" "$2"; }
bad() { printf 'ILL   %-10s %s\n      %-10s -> %s\n' "$1" "$2" '' "$3"; ill=$((ill + 1)); }

check_redis() {
  local answer=''
  if exec 3<>"/dev/tcp/127.0.0.1/$redis_port"; then
    printf 'PING\r\n' >&3
    IFS= read -r -t 3 -u 3 answer
    exec 3>&-
  fi 2>/dev/null
  case "$answer" in
    +PONG*) well redis "answers on $redis_port" ;;
    -NOAUTH*) well redis "answers on $redis_port, and wants a password" ;;
    '') bad redis "nothing answers on 127.0.0.1:$redis_port" \
          "docker compose up -d redis, or deploy/stack up; is REDIS_PORT right in .env?" ;;
    *) bad redis "something on $redis_port answers, but not as Redis does" \
          "another program has the port: ss -ltnp | grep :$redis_port" ;;
  esac
}
check_livekit() {
  local status
  status=$(curl -s -o /dev/null -m 3 -w '%{http_code}' "http://127.0.0.1:$livekit_port/") || true
  case "$status" in
    200) well livekit "answers on $livekit_port" ;;
    000) bad livekit "nothing answers on 127.0.0.1:$livekit_port" \
          "docker compose logs livekit, or deploy/stack logs livekit; it does not start without Redis and its keys" ;;
    *) bad livekit "answers $status on $livekit_port" \
          "406 means that it has no free capacity or its clock is off; anything else: another program has the port" ;;
  esac
}
check_trunkline() {
  local body
  body=$(curl -s -m 3 -w ' %{http_code}' "http://127.0.0.1:$health_port/") || true
  case "$body" in
    *' 200') well trunkline "takes calls (health page on $health_port)" ;;
    *' 429') bad trunkline "is full: the CPU is above max_cpu_utilization, or limits.calls is reached" \
          "fewer calls, more cores, or another node on the same Redis" ;;
    *' 503') bad trunkline "takes no calls: it is stopping, or something that it needs is away ($body)" \
          "wait for the restart, or see its log" ;;
    *) bad trunkline "nothing answers on its health_port $health_port" \
          "docker compose logs trunkline, or deploy/stack logs trunkline; trunkline check --config FILE says what a file has wrong" ;;
  esac
}
check_sip() {
  local branch="z9hG4bK$RANDOM$RANDOM" answer
  answer=$(printf 'OPTIONS sip:127.0.0.1:%s SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=%s\r\nMax-Forwards: 1\r\nFrom: <sip:health@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n' \
    "$sip_port" "$branch" "$branch" | timeout 3 bash -c "exec 3<>/dev/tcp/127.0.0.1/$sip_port && cat >&3 && head -n 1 <&3" 2>/dev/null)
  case "$answer" in
    'SIP/2.0 200'*) well sip "answers OPTIONS on $sip_port" ;;
    'SIP/2.0 503'*) bad sip "answers OPTIONS with 503: full or draining" "trunkline status says how many calls are up" ;;
    '') bad sip "nothing answers OPTIONS on TCP $sip_port" \
          "is SIP_PORT right in .env, and does trunkline listen on 127.0.0.1 (listen_ip)? ss -lunp | grep :$sip_port" ;;
    *) bad sip "answers OPTIONS with: ${answer//[^[:print:]]/}" "another program has the port?" ;;
  esac
}
check_redis
check_livekit
check_trunkline
check_sip
exit $ill
