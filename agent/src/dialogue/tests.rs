#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use std::sync::Arc;

const FLOW: &str = r#"
facts: { company: Acme, hours: nine to five }
utc_offset: "+01:00"
greeting:
  say: Welcome to {company}.
  menu: main
intents:
  hours:
    phrases: [opening hours, when do you open]
    reply: We are open {hours}.
  joke:
    phrases: [tell me a joke]
    reply: { say: [First joke., Second joke.] }
  name:
    phrases: ["my name is {name}"]
    reply: Hello {name}.
  book:
    phrases: [make an appointment]
    reply: { say: Gladly., ask: name }
  code:
    phrases: [enter a code]
    reply: { ask: code }
  time:
    phrases: [what's the time]
    reply: It is {time}.
  bye:
    phrases: [goodbye]
    reply: { say: "Goodbye {name|friend}.", hangup: true }
menus:
  main:
    say: Press one for hours, two for the office.
    keys:
      1: We are open {hours}.
      2: { say: One moment., transfer: "sip:office@example.org" }
      0: { repeat: true }
slots:
  name:
    ask: What is your name?
    strip: [my name is, i am]
    again: Please say only your name.
    then: Thank you, {name}.
  code:
    ask: Which code?
    kind: number
    digits: 3
    then: Your code is {code}.
no_input:
  say: [Hello?]
"#;

fn flow() -> Conversation {
    let mut talk = Conversation::new(Arc::new(Dialogue::parse("flow.yaml", FLOW).unwrap()), vec![]);
    talk.begin();
    talk
}

#[test]
fn the_example_is_a_dialogue() {
    let example = Dialogue::example();
    assert!(example.phrases().iter().any(|phrase| phrase == "opening hours"), "{:?}", example.phrases());
}

#[test]
fn the_greeting_leads_into_the_menu() {
    let mut talk = Conversation::new(Arc::new(Dialogue::parse("flow.yaml", FLOW).unwrap()), vec![]);
    assert_eq!(talk.begin().text, "Welcome to Acme. Press one for hours, two for the office.");
}

#[test]
fn a_phrase_leads_to_its_intent_and_says_why() {
    let answer = flow().heard("what are your opening hours please");
    assert_eq!(answer.text, "We are open nine to five.");
    assert_eq!(answer.decisions, [("intent hours".to_owned(), "heard \"opening hours\"".to_owned())]);
}

#[test]
fn facts_of_the_call_go_before_those_of_the_file() {
    let facts = vec![("company".to_owned(), "Blue Lagoon".to_owned())];
    let mut talk = Conversation::new(Arc::new(Dialogue::parse("flow.yaml", FLOW).unwrap()), facts);
    assert!(talk.begin().text.starts_with("Welcome to Blue Lagoon."));
}

#[test]
fn a_key_of_the_menu_acts_by_finger_and_by_voice() {
    let to = After::Transfer { to: "sip:office@example.org".to_owned() };
    assert_eq!(flow().key('2').unwrap().after, to);
    assert_eq!(flow().heard("two").after, to);
    assert_eq!(flow().key('7'), None);
}

#[test]
fn repeat_says_the_last_words_again() {
    let mut talk = flow();
    talk.heard("opening hours");
    assert_eq!(talk.key('0').unwrap().text, "We are open nine to five.");
}

#[test]
fn several_texts_take_turns() {
    let mut talk = flow();
    let said: Vec<_> = (0..3).map(|_| talk.heard("tell me a joke").text).collect();
    assert_eq!(said, ["First joke.", "Second joke.", "First joke."]);
}

#[test]
fn a_slot_is_asked_for_filled_and_spoken_of_later() {
    let mut talk = flow();
    assert_eq!(talk.heard("make an appointment").text, "Gladly. What is your name?");
    assert_eq!(talk.heard("i am Anna").text, "Thank you, anna.");
    assert_eq!(talk.heard("goodbye").text, "Goodbye anna.");
}

#[test]
fn a_phrase_may_fill_its_slot_at_once() {
    assert_eq!(flow().heard("hello my name is Anna").text, "Hello anna.");
}

#[test]
fn an_answer_on_the_way_does_not_drop_the_question() {
    let mut talk = flow();
    talk.heard("make an appointment");
    assert_eq!(
        talk.heard("what are your opening hours").text,
        "We are open nine to five. What is your name?"
    );
    assert_eq!(talk.heard("").text, "Please say only your name.");
    assert_eq!(talk.heard("Ben").text, "Thank you, ben.");
}

#[test]
fn a_number_can_be_typed_or_said() {
    let mut talk = flow();
    talk.heard("enter a code");
    assert_eq!((talk.key('4'), talk.key('2')), (None, None));
    assert_eq!(talk.key('1').unwrap().text, "Your code is 421.");
    talk.heard("enter a code");
    assert_eq!(talk.heard("four twenty one").text, "Your code is 421.");
}

#[test]
fn silence_is_asked_about_and_then_ends_the_call() {
    let mut talk = flow();
    assert_eq!(talk.no_input().text, "Hello?");
    assert!(matches!(talk.no_input().after, After::HangUp { .. }));
    let mut talk = flow();
    talk.no_input();
    talk.heard("opening hours");
    assert_eq!(talk.no_input().after, After::Listen, "a word begins the count anew");
}

#[test]
fn what_is_not_understood_is_asked_again() {
    assert_eq!(flow().heard("purple elephants").text, "Sorry, I did not get that.");
}

#[test]
fn only_what_can_mean_nothing_else_is_sure() {
    let mut talk = flow();
    assert!(talk.is_sure("tell me your opening hours"));
    assert!(talk.is_sure("two"));
    assert!(!talk.is_sure("my name is anna"), "a surname may follow");
    assert!(!talk.is_sure("my name is"));
    assert!(!talk.is_sure("when do you"));
    talk.heard("enter a code");
    assert!(!talk.is_sure("four two") && talk.is_sure("four two one"));
}

#[test]
fn the_example_of_the_documentation_is_a_dialogue() {
    let page = include_str!("../../../docs/dialogue.md");
    let yaml = page.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut talk = Conversation::new(Arc::new(Dialogue::parse("dialogue.md", yaml).unwrap()), vec![]);
    assert!(talk.begin().text.starts_with("Welcome to Acme. Press one"));
    assert!(talk.understands("when do you open") && !talk.understands("pizza"));
}

#[test]
fn texts_that_are_the_same_for_every_call_can_be_rendered_ahead() {
    let texts = Dialogue::parse("flow.yaml", FLOW).unwrap().fixed_texts();
    for fixed in ["We are open nine to five.", "First joke.", "What is your name?", "Hello?"] {
        assert!(texts.iter().any(|text| text == fixed), "{fixed}");
    }
    assert!(!texts.iter().any(|text| text.contains("It is")), "the time changes");
}

#[test]
fn the_time_is_told_where_the_dialogue_lives() {
    let mut talk = flow();
    talk.set_clock(14 * 3_600 + 30 * 60);
    assert_eq!(talk.heard("what's the time").text, "It is 3 30 p m.");
}

#[test]
fn the_recogniser_is_told_what_to_expect() {
    let dialogue = Dialogue::parse("flow.yaml", FLOW).unwrap();
    for phrase in ["opening hours", "what's the time", "my name is", "seven"] {
        assert!(dialogue.phrases().iter().any(|p| p == phrase), "{phrase}");
    }
}

/// Replaces one line of the flow; the error must name that line and this text.
fn fault(find: &str, replace: &str, expected: &str) {
    assert!(FLOW.contains(find), "{find}");
    let yaml = FLOW.replacen(find, replace, 1);
    let at = FLOW.find(find).unwrap();
    let line = FLOW[..at].lines().count().max(1) as u64 + u64::from(FLOW[..at].ends_with('\n'));
    let error = Dialogue::parse("flow.yaml", &yaml).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.line, line, "{error}");
}

#[test]
fn errors_name_the_line_the_key_and_what_was_expected() {
    fault("  menu: main", "  menu: mian", "greeting: menu: mian is not one of `menus` (main)");
    fault("reply: We are open {hours}", "reply: We are open {houres}", "{houres} is neither");
    fault("reply: { ask: code }", "reply: { ask: pin }", "ask: pin is not one of `slots` (name, code)");
    fault("      2: {", "      22: {", "22 is no key; expected one of 0-9");
    fault("phrases: [tell me a joke]", "phrases: [opening hours]", "stands in hours already");
    fault("utc_offset: \"+01:00\"", "utc_offset: CET", "expected for example");
    fault("    kind: number", "    kind: numeral", "numeral");
    fault("reply: Hello {name}.", "reply: Hello {name.", "without its `}`");
    fault("hangup: true }", "hangup: true, repeat: true }", "only one of");
    fault("    digits: 3", "    digits: 99", "expected 1 to 32");
    fault("  say: [Hello?]", "  sya: [Hello?]", "sya");
    fault("phrases: [\"my name is {name}\"]", "phrases: [\"my name is {age}\"]", "there is no slot age");
}

#[test]
fn an_empty_or_broken_file_is_an_error_with_a_line() {
    for yaml in ["", "greeting: [", "greeting: {}", "- 1", "greeting: \"\\x\""] {
        let error = Dialogue::parse("flow.yaml", yaml).unwrap_err();
        assert!(error.line >= 1 && !error.message.is_empty(), "{yaml:?}: {error}");
    }
}

const DESK: &str = r#"
facts: { what: opening hours }
greeting: Hello.
intents:
  hours: { phrases: [opening hours, do you open], about: "our {what}", reply: "Nine to five." }
  address: { phrases: [your address], about: our address, reply: Harbour Street. }
  office: { phrases: [the office, a human], about: the office, reply: { say: One moment., transfer: "1" } }
  again: { phrases: [say that again], reply: { repeat: true } }
  bye: { phrases: [goodbye], about: to end the call, reply: { say: Bye., hangup: true } }
slots:
  name: { ask: Who?, then: Thank you. }
no_match: { say: [What?, Still what?], guess: "Do you mean {guess}?" }
"#;

fn desk() -> Conversation {
    let mut talk = Conversation::new(Arc::new(Dialogue::parse("desk.yaml", DESK).unwrap()), vec![]);
    talk.begin();
    talk
}

#[test]
fn what_sounds_exactly_like_a_phrase_is_taken_for_it() {
    assert_eq!(desk().heard("you're adress please").text, "Harbour Street.");
}

#[test]
fn what_sounds_nearly_like_a_phrase_is_asked_about() {
    let mut talk = desk();
    let answer = talk.heard("tell me the open in towers");
    assert_eq!(answer.text, "Do you mean our opening hours?");
    assert_eq!(answer.decisions[0].0, "guess hours");
    assert!(talk.is_sure("yes"));
    assert_eq!(talk.heard("yes please").text, "Nine to five.");
}

#[test]
fn a_telling_word_is_asked_about() {
    assert_eq!(desk().heard("any humans or one human there").text, "Do you mean the office?");
}

#[test]
fn who_says_no_is_told_so_as_the_dialogue_does() {
    let mut talk = desk();
    talk.heard("the hours");
    assert_eq!(talk.heard("no").text, "Still what?");
    assert_eq!(talk.heard("yes").text, "Still what?", "the guess is forgotten");
}

#[test]
fn another_wish_is_as_good_an_answer_as_no() {
    let mut talk = desk();
    talk.heard("the hours");
    assert_eq!(talk.heard("no your address").text, "Harbour Street.");
}

#[test]
fn a_guess_is_repeated_and_stays_open() {
    let mut talk = desk();
    talk.heard("the hours");
    assert_eq!(talk.heard("say that again").text, "Do you mean our opening hours?");
    assert_eq!(talk.heard("yes").text, "Nine to five.");
}

#[test]
fn nobody_is_transferred_or_hung_up_on_by_a_guess() {
    for heard in ["the offis", "good buy", "gudbye", "the hoffice"] {
        let answer = desk().heard(heard);
        assert_eq!(answer.after, After::Listen, "{heard}");
        assert!(answer.decisions[0].0.starts_with("guess"), "{heard}: {answer:?}");
    }
}

#[test]
fn what_sounds_like_nothing_is_not_guessed_at() {
    for heard in
        ["", "i would like a pizza with mushrooms", "my dog has eaten the newspaper", "no", "yes", "that"]
    {
        assert_eq!(desk().heard(heard).text, "What?", "{heard}");
    }
}

#[test]
fn one_word_in_a_long_sentence_is_not_enough_unless_it_is_the_last() {
    assert_eq!(desk().heard("they gave the goodbye to all of their friends").after, After::Listen);
    let last = desk().heard("thank you very much that was it goodbye").after;
    assert!(matches!(last, After::HangUp { .. }), "{last:?}");
}

#[test]
fn every_phrase_of_the_example_leads_to_its_intent() {
    let example = Arc::new(Dialogue::example());
    for (intent, phrase) in example.intents.iter().flat_map(|i| i.phrases.iter().map(move |p| (i, p))) {
        let mut talk = Conversation::new(Arc::clone(&example), vec![]);
        talk.begin();
        let name = if phrase.slot.is_some() { " anna" } else { "" };
        let answer = talk.heard(&format!("{}{name}", phrase.spelled));
        assert_eq!(answer.decisions[0].0, format!("intent {}", intent.name), "{}", phrase.spelled);
    }
}

#[test]
fn no_to_anything_else_hangs_up_only_when_it_says_so() {
    let heard = |text: &str| {
        let mut talk = Conversation::new(Arc::new(Dialogue::example()), vec![]);
        talk.begin();
        talk.heard("what are your opening hours");
        talk.heard(text)
    };
    assert_eq!(heard("no").after, After::Listen);
    for bye in ["no thanks", "no thank you", "no that's all", "goodbye"] {
        assert!(matches!(heard(bye).after, After::HangUp { .. }), "{bye}");
    }
}

#[test]
fn no_thanks_to_a_guess_refuses_the_guess_and_nothing_more() {
    let mut talk = Conversation::new(Arc::new(Dialogue::example()), vec![]);
    talk.begin();
    assert_eq!(talk.heard("the hours").decisions[0].0, "guess hours");
    assert_eq!(talk.heard("no thanks").after, After::Listen);
}

#[test]
fn what_recognition_is_not_sure_of_sends_nobody_away() {
    for (heard, confidence, at_once) in
        [("goodbye", 0.01, false), ("goodbye", 0.2, true), ("the office", 0.02, false)]
    {
        let answer = desk().heard_as(heard, Some(confidence));
        assert_eq!(answer.after != After::Listen, at_once, "{heard} {confidence}");
        assert_eq!(answer.decisions[0].0.starts_with("guess"), !at_once, "{heard} {confidence}");
    }
    assert_eq!(desk().heard_as("opening hours", Some(0.0)).text, "Nine to five.");
    assert_eq!(flow().heard_as("two", Some(0.01)).after, After::Listen, "nor does a number that was a noise");
}
