//! SSRCs of the m-lines of a description.

use str0m::media::Mid;
use str0m::rtp::Ssrc;

/// Each m-line's SSRC, as a description names it.
pub(super) fn streams(sdp: &str) -> Vec<(Mid, Ssrc)> {
    let (mut found, mut mid): (Vec<(Mid, Ssrc)>, Option<Mid>) = (Vec::new(), None);
    let mut waiting: Option<Ssrc> = None;
    for line in sdp.lines().map(str::trim_end) {
        if line.starts_with("m=") {
            (mid, waiting) = (None, None);
        } else if let Some(name) = line.strip_prefix("a=mid:") {
            mid = Some(Mid::from(name));
        } else if let Some(ssrc) = line.strip_prefix("a=ssrc:") {
            let number = ssrc.split(' ').next().and_then(|number| number.parse::<u32>().ok());
            waiting = waiting.or(number.map(Ssrc::from));
        }
        if let (Some(mid), Some(ssrc)) = (mid, waiting)
            && !found.iter().any(|(known, _)| *known == mid)
        {
            found.push((mid, ssrc));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ssrc_of_each_m_line_is_found_wherever_it_stands() {
        let sdp = "v=0\r\nm=audio 9 X 0\r\na=mid:a\r\na=ssrc:7 cname:x\r\na=ssrc:7 msid:y\r\nm=audio 9 X 0\r\n\
                   a=ssrc:9 cname:z\r\na=mid:b\r\nm=audio 0 X 0\r\na=mid:c\r\n";
        assert_eq!(streams(sdp), [(Mid::from("a"), Ssrc::from(7)), (Mid::from("b"), Ssrc::from(9))]);
        assert_eq!(streams("garbage"), []);
    }
}
