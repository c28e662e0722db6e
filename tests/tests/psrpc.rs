//! The bus against the real livekit-server: its questions are answered and ours are, errors with the SIP status
//! behind them, each request once, and again after Redis was away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use trunkline_psrpc::{
    Bus, BusState, DispatchResult, EvaluateSipDispatchRulesRequest, Gate, GetSipTrunkAuthenticationRequest,
    Incoming, InternalCreateSipParticipantResponse, InternalTransferSipParticipantResponse, PsrpcError,
    RedisSettings, SipCall, SipUri, code,
};
use trunkline_tests::livekit::House;

struct Door {
    open: AtomicBool,
    ours: Mutex<Vec<String>>,
}

impl Gate for Door {
    fn takes_calls(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }
    fn owns(&self, call: &str) -> bool {
        self.ours.lock().unwrap().iter().any(|ours| ours == call)
    }
}

struct Gateway {
    runtime: Runtime,
    bus: Bus,
    door: Arc<Door>,
    calls: Option<mpsc::Receiver<Incoming>>,
}

impl Gateway {
    fn at(house: &House) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let door = Arc::new(Door { open: AtomicBool::new(true), ours: Mutex::default() });
        let (tell, calls) = mpsc::channel(16);
        let settings =
            RedisSettings { address: format!("127.0.0.1:{}", house.redis_port), ..RedisSettings::default() };
        let gate: Arc<dyn Gate> = Arc::clone(&door) as _;
        let bus = runtime.block_on(async { Bus::start(settings, String::new(), gate, tell) }).unwrap();
        let gateway = Self { runtime, bus, door, calls: Some(calls) };
        gateway.wait_until_up();
        gateway
    }

    fn wait_until_up(&self) {
        let mut state = self.bus.state();
        let up = state.wait_for(|state| *state == BusState::Up);
        self.runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(10), up).await.unwrap().unwrap() });
    }

    /// Serves what comes: calls by this closure, transfers with success.
    fn serve(
        &mut self,
        answer: impl Fn(&str) -> Result<(), PsrpcError> + Send + 'static,
    ) -> Arc<AtomicUsize> {
        let mut calls = self.calls.take().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        self.runtime.spawn(async move {
            while let Some(incoming) = calls.recv().await {
                counted.fetch_add(1, Ordering::Relaxed);
                match incoming {
                    Incoming::Create { request, reply } => {
                        let done = answer(&request.call_to).map(|()| InternalCreateSipParticipantResponse {
                            participant_id: "PA_x".into(),
                            participant_identity: request.participant_identity.clone(),
                            sip_call_id: request.sip_call_id.clone(),
                        });
                        reply.answer(done);
                    }
                    Incoming::Transfer { reply, .. } => {
                        reply.answer(Ok(InternalTransferSipParticipantResponse::default()));
                    }
                }
            }
        });
        count
    }
}

fn uri(user: &str) -> Option<SipUri> {
    Some(SipUri { user: user.into(), host: "127.0.0.1".into(), ..SipUri::default() })
}

fn call() -> SipCall {
    SipCall {
        lk_call_id: "SCL_test".into(),
        source_ip: "127.0.0.1".into(),
        address: uri("+15550100"),
        from: uri("+15550111"),
        to: uri("+15550100"),
        ..SipCall::default()
    }
}

fn authentication() -> GetSipTrunkAuthenticationRequest {
    GetSipTrunkAuthenticationRequest {
        from: "+15550111".into(),
        to: "+15550100".into(),
        src_address: "127.0.0.1".into(),
        call: Some(call()),
        ..GetSipTrunkAuthenticationRequest::default()
    }
}

fn outbound_trunk(house: &House) -> String {
    let trunk = house.sip(
        "create_outbound_trunk",
        &json!({"trunk": {"name": "out", "address": "127.0.0.1:5099", "numbers": ["+15550199"]}}),
    );
    trunk["sip_trunk_id"].as_str().unwrap().to_owned()
}

fn dial(house: &House, trunk: &str, to: &str) -> serde_json::Value {
    let request = json!({"sip_trunk_id": trunk, "sip_call_to": to, "room_name": "lobby",
        "participant_identity": "callee", "wait_until_answered": true});
    house.api(&["create_participant", &request.to_string()])
}

#[test]
fn livekit_server_says_which_trunk_and_which_room_a_call_is_for() {
    let house = House::start();
    let (trunk, rule) = house.number_into_room("+15550100", "lobby");
    let gateway = Gateway::at(&house);
    let told = gateway.runtime.block_on(gateway.bus.get_sip_trunk_authentication(&authentication())).unwrap();
    assert_eq!((told.sip_trunk_id.as_str(), told.drop), (trunk.as_str(), false));
    let ask = EvaluateSipDispatchRulesRequest {
        sip_call_id: "SCL_test".into(),
        calling_number: "+15550111".into(),
        called_number: "+15550100".into(),
        src_address: "127.0.0.1".into(),
        sip_trunk_id: trunk,
        call: Some(call()),
        ..EvaluateSipDispatchRulesRequest::default()
    };
    let told = gateway.runtime.block_on(gateway.bus.evaluate_sip_dispatch_rules(&ask)).unwrap();
    assert_eq!(told.verdict(), DispatchResult::Accept);
    assert_eq!((told.room_name.as_str(), told.sip_dispatch_rule_id), ("lobby", rule));
    assert_eq!(told.participant_identity, "sip_+15550111");
    let call = SipCall { to: uri("+15550999"), address: uri("+15550999"), ..call() };
    let ask = EvaluateSipDispatchRulesRequest {
        called_number: "+15550999".into(),
        sip_trunk_id: String::new(),
        call: Some(call),
        ..ask
    };
    let told = gateway.runtime.block_on(gateway.bus.evaluate_sip_dispatch_rules(&ask)).unwrap();
    assert_eq!(told.verdict(), DispatchResult::Drop, "what the open server says where nothing matches");
}

#[test]
fn a_call_that_livekits_api_asks_for_is_placed_once_and_a_busy_line_is_told_with_its_status() {
    let house = House::start();
    let trunk = outbound_trunk(&house);
    let mut gateway = Gateway::at(&house);
    let count = gateway.serve(|to| match to {
        "+15550188" => {
            Err(PsrpcError::new(code::RESOURCE_EXHAUSTED, "INVITE failed: sip status: 486: Busy Here")
                .with_sip(486, "Busy Here"))
        }
        _ => Ok(()),
    });
    let placed = dial(&house, &trunk, "+15550177");
    assert_eq!(placed["participant_identity"], "callee", "{placed}");
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let busy = dial(&house, &trunk, "+15550188");
    assert_eq!(busy["error"]["code"], "resource_exhausted", "{busy}");
    assert_eq!(busy["error"]["metadata"]["sip_status_code"], "486", "{busy}");
    assert_eq!(busy["error"]["metadata"]["sip_status"], "Busy Here", "{busy}");
}

#[test]
fn a_full_gateway_claims_nothing_and_the_caller_of_the_api_hears_that_nobody_is_there() {
    let house = House::start();
    let trunk = outbound_trunk(&house);
    let mut gateway = Gateway::at(&house);
    let count = gateway.serve(|_| Ok(()));
    gateway.door.open.store(false, Ordering::Relaxed);
    let refused = dial(&house, &trunk, "+15550177");
    assert_eq!(refused["error"]["code"], "unavailable", "{refused}");
    assert_eq!(count.load(Ordering::Relaxed), 0);
    gateway.door.open.store(true, Ordering::Relaxed);
    assert_eq!(dial(&house, &trunk, "+15550177")["participant_identity"], "callee");
    gateway.bus.close();
    assert_eq!(dial(&house, &trunk, "+15550177")["error"]["code"], "unavailable", "it drains");
}

#[test]
fn two_gateways_share_the_calls_and_each_is_placed_by_one() {
    let house = House::start();
    let trunk = outbound_trunk(&house);
    let (mut first, mut second) = (Gateway::at(&house), Gateway::at(&house));
    let (one, two) = (first.serve(|_| Ok(())), second.serve(|_| Ok(())));
    for n in 0..8 {
        let placed = dial(&house, &trunk, &format!("+1555017{n}"));
        assert_eq!(placed["participant_identity"], "callee", "{placed}");
    }
    assert_eq!(one.load(Ordering::Relaxed) + two.load(Ordering::Relaxed), 8);
}

#[test]
fn redis_may_be_killed_and_started_again() {
    let mut house = House::start();
    house.number_into_room("+15550100", "lobby");
    let gateway = Gateway::at(&house);
    house.kill_redis();
    let away =
        gateway.runtime.block_on(gateway.bus.get_sip_trunk_authentication(&authentication())).unwrap_err();
    assert!(away.is_unavailable(), "{away:?}");
    house.start_redis();
    gateway.wait_until_up();
    // livekit-server has to come back, too.
    let mut answered = Err(away);
    for _ in 0..20 {
        answered = gateway.runtime.block_on(gateway.bus.get_sip_trunk_authentication(&authentication()));
        if answered.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    assert!(answered.is_ok(), "{answered:?}");
}
