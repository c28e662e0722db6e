//! The part of a list that a client wants to see.

use livekit_protocol::Pagination;

/// Those after an id, and no more than are wanted. LiveKit's server heeds only the first of the two.
pub(crate) fn page<T>(mut items: Vec<T>, page: Option<&Pagination>, id: impl Fn(&T) -> &String) -> Vec<T> {
    items.sort_by(|a, b| id(a).cmp(id(b)));
    let Some(page) = page else { return items };
    items.retain(|item| page.after_id.is_empty() || *id(item) > page.after_id);
    if let Some(limit) = usize::try_from(page.limit).ok().filter(|limit| *limit > 0) {
        items.truncate(limit);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_after_an_id_and_has_no_more_than_its_limit() {
        let ids = |after: &str, limit| {
            let items = ["b", "d", "a", "c"].map(ToString::to_string).to_vec();
            page(items, Some(&Pagination { after_id: after.into(), limit }), |id| id).concat()
        };
        assert_eq!((ids("", 0), ids("b", 0), ids("a", 2)), ("abcd".into(), "cd".into(), "bc".into()));
    }
}
