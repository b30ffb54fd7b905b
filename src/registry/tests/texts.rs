use http::StatusCode;
use proptest::prelude::*;
use rstest::rstest;
use url::Url;

use crate::registry::{answer::Answer, link, redact};

#[rstest]
#[case(r#"</v2/a?last=b>; rel="next""#, Some("/v2/a?last=b"))]
#[case("<b>;rel=next", Some("b"))]
#[case(r#"<a>; rel="prev", <b>; REL="last next""#, Some("b"))]
#[case(r#"<a,b>; title="x"; rel="next", <c>"#, Some("a,b"))]
#[case("<a>; rel=previous", None)]
#[case("<a", None)]
#[case("", None)]
#[case("a>; rel=next", None)]
fn the_next_page_is_where_the_link_says(#[case] header: &str, #[case] expected: Option<&str>) {
    assert_eq!(link::next(header), expected);
}

#[test]
fn a_url_shows_no_secret() {
    let url: Url =
        "https://user:pass@h.example:444/v2/a?X-Amz-Signature=s3cret&digest=sha256:1&_state=s3cret#f"
            .parse()
            .unwrap();
    assert_eq!(redact::url(&url), "https://h.example:444/v2/a?X-Amz-Signature=…&digest=sha256:1&_state=…");
}

#[test]
fn an_error_body_is_read_in_the_spellings_that_there_are() {
    let read = |body: &str| Answer::parse(StatusCode::NOT_FOUND, body.as_bytes());
    let spec = read(r#"{"errors":[{"code":"name_unknown","message":"no","detail":{"name":"x"}}]}"#);
    assert_eq!(spec.to_string(), r#"404 Not Found, NAME_UNKNOWN: no, {"name":"x"}"#);
    assert_eq!(read(r#"{"details":"incorrect username"}"#).text, "incorrect username");
    assert_eq!(
        read(r#"{"error":"invalid_grant","error_description":"expired"}"#).text,
        "invalid_grant, expired"
    );
    assert_eq!(read("<html>"), Answer::bare(StatusCode::NOT_FOUND));
    assert!(read(r#"{"errors":[{"code":7}]}"#).codes.is_empty());
}

#[test]
fn an_error_body_cannot_write_to_a_terminal_or_fill_it() {
    let body =
        serde_json::json!({"errors": [{"code": "A\u{1b}[2J", "message": "x\n".repeat(1_000)}]}).to_string();
    let text = Answer::parse(StatusCode::NOT_FOUND, body.as_bytes()).to_string();
    assert!(!text.contains(char::is_control) && text.len() < 600, "{text}");
}

proptest! {
    #[test]
    fn no_link_makes_the_parser_panic(text in ".*", near in "[<>;,=\" a-z]{0,60}") {
        let _ = link::next(&text);
        let _ = link::next(&near);
    }

    #[test]
    fn no_error_body_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Answer::parse(StatusCode::BAD_REQUEST, &bytes).to_string();
    }

    #[test]
    fn no_url_makes_redaction_panic(text in "https?://[!-~]{1,80}") {
        if let Ok(url) = Url::parse(&text) {
            let _ = redact::url(&url);
        }
    }
}
