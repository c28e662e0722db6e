use super::*;
use proptest::prelude::*;

fn sine(rate: u32, hertz: f64, n: usize) -> Vec<i16> {
    (0..n)
        .map(|i| ((i as f64 * hertz * std::f64::consts::TAU / f64::from(rate)).sin() * 8_000.0) as i16)
        .collect()
}

fn power(sound: &[i16]) -> f64 {
    sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64
}

/// Signal to noise in dB at the best delay.
fn likeness(sent: &[i16], heard: &[i16], longest_delay: usize) -> f64 {
    (0..longest_delay)
        .map(|delay| {
            let pairs: Vec<_> = heard[delay..].iter().zip(sent).skip(800).collect();
            let noise: f64 = pairs.iter().map(|(a, b)| (f64::from(**a) - f64::from(**b)).powi(2)).sum();
            10.0 * (power(sent) * pairs.len() as f64 / noise.max(1.0)).log10()
        })
        .fold(f64::MIN, f64::max)
}

const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

fn round_trip(codec: Codec, sound: &[i16], ptime: usize) -> Vec<i16> {
    let mut encoder = Encoder::new(codec).unwrap();
    let mut decoder = Decoder::new(codec).unwrap();
    let mut payload = [0; MAX_PAYLOAD];
    let mut out = [0; MAX_PACKET_SAMPLES];
    let mut heard = Vec::new();
    for packet in sound.chunks_exact(codec.rate() as usize / 1_000 * ptime) {
        let bytes = encoder.encode(packet, &mut payload).unwrap();
        let n = decoder.decode(&payload[..bytes], &mut out).unwrap();
        assert_eq!(n, packet.len());
        heard.extend_from_slice(&out[..n]);
    }
    heard
}

#[test]
fn a_tone_comes_through_every_codec_at_every_packet_length() {
    for codec in ALL {
        for ptime in [10, 20, 30, 40, 60] {
            if codec == Codec::Opus && ptime == 30 {
                continue;
            }
            let sound = sine(codec.rate(), 440.0, codec.rate() as usize);
            let heard = round_trip(codec, &sound, ptime);
            let snr = likeness(&sound, &heard, 400);
            assert!(snr > 15.0, "{codec:?} at {ptime} ms: {snr:.1} dB");
        }
    }
}

#[test]
fn g711_codes_are_those_of_the_recommendation() {
    let mut out = [0; 1];
    let mut u = Encoder::new(Codec::Pcmu).unwrap();
    let mut a = Encoder::new(Codec::Pcma).unwrap();
    for (sample, ulaw, alaw) in
        [(0, 0xff, 0xd5), (-1, 0x7f, 0x55), (32_124, 0x80, 0xaa), (-32_124, 0x00, 0x2a), (8, 0xfe, 0xd5)]
    {
        u.encode(&[sample], &mut out).unwrap();
        assert_eq!(out[0], ulaw, "u-law of {sample}");
        a.encode(&[sample], &mut out).unwrap();
        assert_eq!(out[0], alaw, "A-law of {sample}");
    }
}

#[test]
fn every_g711_code_decodes_to_what_encodes_to_it() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let codes: Vec<u8> = (0..=255).collect();
        let mut samples = [0; 256];
        Decoder::new(codec).unwrap().decode(&codes, &mut samples).unwrap();
        let mut back = [0; 256];
        Encoder::new(codec).unwrap().encode(&samples, &mut back).unwrap();
        for (code, again) in codes.iter().zip(back) {
            // µ-law has two zeros; which one comes back is of no matter.
            assert!(
                *code == again || codec == Codec::Pcmu && *code == 0x7f && again == 0xff,
                "{code:#x} {again:#x}"
            );
        }
    }
}

#[test]
fn a_lost_packet_of_a_voiced_sound_goes_on_with_its_pitch() {
    for codec in [Codec::Pcmu, Codec::G722] {
        let per_ms = codec.rate() as usize / 1_000;
        let sound = sine(codec.rate(), 180.0, per_ms * 400);
        let mut encoder = Encoder::new(codec).unwrap();
        let mut decoder = Decoder::new(codec).unwrap();
        let (mut payload, mut out) = ([0; MAX_PAYLOAD], [0; MAX_PACKET_SAMPLES]);
        let mut heard = Vec::new();
        for (i, packet) in sound.chunks_exact(per_ms * 20).enumerate() {
            let bytes = encoder.encode(packet, &mut payload).unwrap();
            let n = packet.len();
            if i == 10 {
                decoder.conceal(&mut out[..n]);
            } else {
                decoder.decode(&payload[..bytes], &mut out).unwrap();
            }
            heard.extend_from_slice(&out[..n]);
        }
        let gap = &heard[per_ms * 200..per_ms * 220];
        assert!(power(gap) > power(&sound) * 0.5, "{codec:?}: {}", power(gap));
        let step = |s: &[i16]| s.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max().unwrap();
        let usual = step(&sound);
        assert!(step(&heard[per_ms * 190..per_ms * 235]) < usual * 3, "{codec:?}: no click at the seams");
    }
}

#[test]
fn a_long_gap_fades_to_silence_and_the_sound_comes_back_whole() {
    for codec in ALL {
        let frame = codec.rate() as usize / 50;
        let sound = sine(codec.rate(), 300.0, frame * 30);
        let mut encoder = Encoder::new(codec).unwrap();
        let mut decoder = Decoder::new(codec).unwrap();
        let (mut payload, mut out) = ([0; MAX_PAYLOAD], [0; MAX_PACKET_SAMPLES]);
        let mut heard = Vec::new();
        for (i, packet) in sound.chunks_exact(frame).enumerate() {
            let bytes = encoder.encode(packet, &mut payload).unwrap();
            if (10..20).contains(&i) {
                decoder.conceal(&mut out[..frame]);
            } else {
                decoder.decode(&payload[..bytes], &mut out).unwrap();
            }
            heard.extend_from_slice(&out[..frame]);
        }
        let end = power(&heard[frame * 19..frame * 20]);
        assert!(end < power(&sound) / 50.0, "{codec:?}: {end} at the end of 200 ms");
        let after = power(&heard[frame * 24..]);
        assert!(after > power(&sound) / 2.0, "{codec:?}: {after} afterwards");
    }
}

#[test]
fn opus_recovers_a_lost_packet_from_the_next_one() {
    let codec = Codec::Opus;
    // A voice-like sound that changes, so that a repetition would not do.
    let sound: Vec<i16> = (0..32_000)
        .map(|i| {
            let t = f64::from(i) / 16_000.0;
            let pitch = 120.0 + 60.0 * (t * 5.0).sin();
            (1..8)
                .map(|k| (t * pitch * f64::from(k) * std::f64::consts::TAU).sin() / f64::from(k))
                .sum::<f64>()
                * 4_000.0
        })
        .map(|s| s as i16)
        .collect();
    let mut encoder = Encoder::new(codec).unwrap();
    encoder.expect_loss(0.2);
    let mut packets = Vec::new();
    for frame in sound.chunks_exact(320) {
        let mut payload = [0; MAX_PAYLOAD];
        let n = encoder.encode(frame, &mut payload).unwrap();
        packets.push(payload[..n].to_vec());
    }
    let hear = |recover: bool, lose: bool| {
        let mut decoder = Decoder::new(codec).unwrap();
        let mut heard = Vec::new();
        for (i, packet) in packets.iter().enumerate() {
            let mut out = [0; 320];
            if lose && i % 10 == 5 {
                if recover { decoder.recover(&packets[i + 1], &mut out) } else { decoder.conceal(&mut out) }
            } else {
                decoder.decode(packet, &mut out).unwrap();
            }
            heard.extend_from_slice(&out);
        }
        heard
    };
    let whole = hear(false, false);
    let difference = |heard: &[i16]| {
        whole.iter().zip(heard).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>()
    };
    let (with, without) = (difference(&hear(true, true)), difference(&hear(false, true)));
    assert!(with < without * 0.7, "with FEC {with:e}, without {without:e}");
}

#[test]
fn what_cannot_be_coded_is_an_error_and_not_a_panic() {
    let mut out = [0; 10];
    let mut big = [0; MAX_PAYLOAD];
    assert_eq!(
        Encoder::new(Codec::Opus).unwrap().encode(&[0; 480], &mut big),
        Err(CodecError::Length { codec: "opus", samples: 480 })
    );
    assert_eq!(
        Decoder::new(Codec::Pcmu).unwrap().decode(&[0; 11], &mut out),
        Err(CodecError::Room { codec: "PCMU", needed: 11, room: 10 })
    );
    assert_eq!(
        Decoder::new(Codec::G722).unwrap().decode(&[], &mut out),
        Err(CodecError::Malformed { codec: "G722", bytes: 0 })
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_payload_does_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600), lost in 0usize..700) {
        for codec in ALL {
            let mut decoder = Decoder::new(codec).unwrap();
            let mut out = [0; MAX_PACKET_SAMPLES];
            let _ = decoder.decode(&bytes, &mut out);
            decoder.conceal(&mut out[..lost]);
            decoder.recover(&bytes, &mut out[..lost]);
            let _ = decoder.decode(&bytes, &mut out[..5]);
        }
    }
}

#[test]
fn opus_at_the_telephones_rate_brings_a_tone_through() {
    let mut encoder = Encoder::at(Codec::Opus, 8_000).unwrap();
    let mut decoder = Decoder::at(Codec::Opus, 8_000).unwrap();
    let (mut payload, mut heard) = ([0; MAX_PAYLOAD], Vec::new());
    for frame in 0..50 {
        let tone: Vec<i16> = (0..160)
            .map(|i| {
                (8_000.0 * (std::f64::consts::TAU * 440.0 * f64::from(frame * 160 + i) / 8_000.0).sin())
                    as i16
            })
            .collect();
        let length = encoder.encode(&tone, &mut payload).unwrap();
        let mut out = [0; 160];
        assert_eq!(decoder.decode(&payload[..length], &mut out), Ok(160));
        heard.extend(out);
    }
    let loud = heard[4_000..].iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / 4_000.0;
    assert!((loud.sqrt() - 5_657.0).abs() < 600.0, "{}", loud.sqrt());
}
