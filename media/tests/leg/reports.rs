//! What a leg knows of its call: RTCP, loss, quality.

use crate::network::{Call, address};
use std::time::Duration;
use trunkline_media::session::Codec;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn round_trip_and_loss_at_the_other_end_are_known_by_rtcp() {
    for mux in [false, true] {
        let mut call = Call::new(Codec::Pcmu, |session| session.rtcp_mux = mux);
        call.loses = |count| count % 20 == 0;
        call.delay = 3;
        call.run(MINUTE);
        let report = call.ends[0].leg.report();
        let trip = report.round_trip_ms.unwrap();
        assert!((60.0..=160.0).contains(&trip), "{trip} ms with mux {mux}");
        let loss = report.remote_loss.unwrap();
        assert!((0.0..0.12).contains(&loss) && loss > 0.02, "{loss} with mux {mux}");
    }
}

#[test]
fn reports_go_out_every_five_seconds_or_so_and_not_in_step() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.run(10 * MINUTE);
    for end in &call.ends {
        let reports = end.sent.iter().filter(|datagram| datagram.control).count();
        assert!((100..=145).contains(&reports), "{reports}");
        let beside = end.sent.iter().find(|datagram| datagram.control).unwrap().to;
        assert_eq!(beside.port(), address(0).port() + 1);
    }
}

#[test]
fn loss_is_counted_concealed_and_heard_in_the_score() {
    let mut good = Call::new(Codec::Pcmu, |_| ());
    good.run(MINUTE);
    let mut bad = Call::new(Codec::Pcmu, |_| ());
    bad.loses = |count| count % 10 == 0;
    bad.run(MINUTE);
    let (good, bad) = (good.ends[0].leg.report(), bad.ends[0].leg.report());
    assert_eq!((good.lost, good.concealed), (0, 0), "{good:?}");
    assert!(good.mos > 4.2, "{good:?}");
    assert!(bad.lost > 200 && bad.concealed > 200, "{bad:?}");
    assert!(bad.mos < 3.6 && bad.r_factor < 70.0, "{bad:?}");
}

#[test]
fn a_leg_that_heard_nothing_has_no_quality() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.loses = |_| true;
    call.run(MINUTE);
    let report = call.ends[0].leg.report();
    assert_eq!((report.received, report.lost, report.mos), (0, 0, 1.0));
    assert_eq!(report.sent, 3_000);
}
