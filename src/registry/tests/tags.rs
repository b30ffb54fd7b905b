use super::{
    class,
    fake::{Asked, Fake, Reply, refuse, reply},
    open,
};
use crate::class::Class;

fn page<T: AsRef<str>>(tags: &[T]) -> Reply {
    let tags: Vec<&str> = tags.iter().map(AsRef::as_ref).collect();
    reply(200).body(serde_json::json!({"name": "app", "tags": tags}).to_string())
}

async fn list(fake: &Fake) -> Vec<String> {
    open(fake).tags().await.unwrap().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn pages_are_followed_by_relative_and_absolute_links() {
    let fake = Fake::start_at(|url, asked, _| match asked.query("last") {
        "" => page(&["a", "b"]).header("link", r#"</v2/app/tags/list?last=b&n=2>; rel="next""#),
        "b" => page(&["c"]).header("link", format!(r"<{url}/v2/app/tags/list?last=c>; rel=next")),
        _ => page(&["d"]),
    })
    .await;
    assert_eq!(list(&fake).await, ["a", "b", "c", "d"]);
    assert_eq!(fake.asked()[0].query("n"), "1000");
}

#[tokio::test]
async fn a_full_page_without_a_link_is_asked_for_what_comes_after_it() {
    let all: Vec<String> = (0..1_500).map(|n| format!("t{n:04}")).collect();
    let after = |asked: &Asked, all: &[String]| {
        let rest: Vec<String> =
            all.iter().filter(|tag| tag.as_str() > asked.query("last")).cloned().collect();
        page(&rest[..rest.len().min(1_000)])
    };
    let fake = Fake::start({
        let all = all.clone();
        move |asked, _| after(asked, &all)
    })
    .await;
    assert_eq!(list(&fake).await, all);
    assert_eq!(fake.asked().len(), 2);
    // A registry that ignores `n` and `last` sends the same again.
    let fake = Fake::start(move |_, _| page(&all[..1_000])).await;
    assert_eq!(list(&fake).await.len(), 1_000);
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn a_registry_that_gives_fewer_at_a_time_is_asked_for_fewer() {
    let all: Vec<String> = (0..150).map(|n| format!("t{n:04}")).collect();
    let fake = Fake::start({
        let all = all.clone();
        move |asked, _| match asked.query("n") {
            "100" => {
                let rest: Vec<&String> =
                    all.iter().filter(|tag| tag.as_str() > asked.query("last")).collect();
                page(&rest[..rest.len().min(100)])
            }
            _ => refuse(413, "SIZE_INVALID"),
        }
    })
    .await;
    assert_eq!(list(&fake).await, all);
    let fake = Fake::start(|_, _| refuse(413, "SIZE_INVALID")).await;
    assert_eq!(class(open(&fake).tags().await), Class::TooLarge);
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn null_is_an_empty_list_and_what_cannot_be_a_tag_is_left_out() {
    let fake = Fake::start(|_, _| reply(200).body(r#"{"name":"app","tags":null}"#)).await;
    assert!(list(&fake).await.is_empty());
    let fake = Fake::start(|_, _| page(&["ok", "not ok", "", "-no", "../../etc"])).await;
    assert_eq!(list(&fake).await, ["ok"]);
}

#[tokio::test]
async fn pages_that_bring_nothing_new_end_in_an_error() {
    let next = r#"</v2/app/tags/list?last=x>; rel="next""#;
    for tags in [&["a"][..], &[]] {
        let fake = Fake::start(move |_, _| page(tags).header("link", next)).await;
        assert_eq!(class(open(&fake).tags().await), Class::Unavailable);
        assert!(fake.asked().len() <= 2);
    }
}

#[tokio::test]
async fn a_list_that_never_ends_is_cut_off() {
    let fake = Fake::start(|_, before| {
        let tags: Vec<String> = (0..20_000).map(|n| format!("{before:060}-{n:060}")).collect();
        page(&tags).header("link", format!(r#"</v2/app/tags/list?last={before}>; rel="next""#))
    })
    .await;
    assert_eq!(class(open(&fake).tags().await), Class::TooLarge);
    let fake = Fake::start(|_, _| reply(200).body(vec![b' '; 65_536]).endless()).await;
    assert_eq!(class(open(&fake).tags().await), Class::TooLarge);
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let fake = Fake::start(|_, before| match before {
        0 => page(&["a"]).header("link", r#"</v2/app/tags/list?last=a>; rel="next""#),
        _ => refuse(403, "DENIED"),
    })
    .await;
    assert_eq!(class(open(&fake).tags().await), Class::Forbidden);
    let fake = Fake::start(|_, _| refuse(404, "NAME_UNKNOWN")).await;
    assert_eq!(class(open(&fake).tags().await), Class::NotFound);
}
