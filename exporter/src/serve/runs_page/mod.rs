//! `/` of the roles that know runs: what runs now and what ran in the last hours, for a person.
//!
//! The whole page is made here, and can be read without JavaScript as a snapshot; the script does nothing but ask for it again whenever the
//! stream tells of a change, so there is one way to show a run. Only what the caller may see is on it.
//!
//! To show one more thing of a run: a field of [`view::Row`] and a line in `templates/runs.html`.

mod ask;
mod next;
mod timeline;
mod view;

use super::access::{Access, Denied, Viewer};
use super::doctor::{self, Facts, Gather, Line, Report};
use super::outlook::{Outlook, Upcoming};
use crate::journal::{self, Journal, Patience};
use ask::{Ask, CHOICES, SHOWN};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chaoscope_model::query::RunQuery;
use chaoscope_model::run::Run;
use next::Next;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use timeline::{Axis, Mark};
use view::{Count, Group};

/// Most runs that are asked for.
const MOST_RUNS: usize = 1000;
/// Most rows of a group.
const MOST_ROWS: usize = 200;
const STYLE: &str = concat!(include_str!("../../../templates/style.css"), include_str!("../../../templates/runs.css"));
const SCRIPT: &str = include_str!("../../../templates/runs.js");
/// Nothing may be loaded or run but the one style sheet and the one script, which are in the page; the script may ask this server.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

/// How long the journal may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the page needs.
#[derive(Clone)]
pub struct RunsPage {
    /// Where runs are.
    pub journal: Journal,
    /// What of this instance works, and what time it is there.
    pub gather: Gather,
    /// Who may see what.
    pub access: Access,
    /// What schedules will make.
    pub outlook: Outlook,
    /// Where metrics are.
    pub telemetry_path: String,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Shown<'a> {
    style: &'static str,
    script: &'static str,
    role: &'static str,
    version: &'static str,
    telemetry_path: &'a str,
    at: String,
    ask: &'a Ask,
    fields: Vec<(&'static str, &'static str, &'a str)>,
    choices: &'static [(&'static str, &'static str)],
    filtered: bool,
    more: bool,
    count: Count,
    groups: Vec<Group>,
    next: Vec<Next>,
    marks: Vec<Mark>,
    span: String,
    /// What is not well.
    wrong: Vec<Line>,
    /// What is, in one line.
    health: String,
    failure: String,
    /// Whether chaos may hide behind what cannot be seen of this host.
    blind: bool,
}

/// The route of the page.
pub fn routes(page: RunsPage) -> axum::Router {
    axum::Router::new().route("/", get(show)).with_state(Arc::new(page))
}

/// What is on the page, for a caller.
struct Answer {
    status: StatusCode,
    html: askama::Result<String>,
}

/// What is on it, as the caller may see it.
struct Found {
    /// Newest first.
    runs: Vec<Run>,
    /// Whether there are more.
    more: bool,
    /// Soonest first.
    upcoming: Vec<Upcoming>,
    /// Why there are none, if that is a failure.
    failure: String,
}

async fn show(State(page): State<Arc<RunsPage>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let viewer = match page.access.viewer(&headers).await {
        Ok(viewer) => viewer,
        Err(denied) => return refused(&denied),
    };
    let patience = Patience::of(PATIENCE);
    let _asker = patience.asker(); // dropped with this future: then nobody waits
    let made = tokio::task::spawn_blocking(move || answer(&page, query.as_deref().unwrap_or(""), &viewer, patience)).await;
    match made {
        Ok(Ok(Answer { status, html: Ok(html) })) => {
            let policy = HeaderValue::from_str(&POLICY).unwrap_or(HeaderValue::from_static("default-src 'none'"));
            let fixed = [(CONTENT_SECURITY_POLICY, policy), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (status, fixed, Html(html)).into_response()
        }
        Ok(Err(denied)) => refused(&denied),
        _ => {
            tracing::error!("The status page could not be rendered.");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered: see the log\n").into_response()
        }
    }
}

fn refused(denied: &Denied) -> Response {
    let mut response = (denied.status(), format!("{}: {}\n", denied.title(), denied.detail())).into_response();
    if let Some(challenge) = denied.challenge() {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

fn answer(page: &RunsPage, query: &str, viewer: &Viewer, patience: Patience) -> Result<Answer, Denied> {
    let whole = viewer.sees_instance();
    viewer.complete()?;
    let facts = (page.gather)();
    let report = if whole { doctor::report(&facts) } else { doctor::report(&facts).outline() };
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let (ask, mut status, mut failure) = match Ask::of(pairs, facts.at) {
        Ok(ask) => (ask, StatusCode::OK, String::new()),
        Err(reason) => (Ask::nothing(facts.at), StatusCode::BAD_REQUEST, reason),
    };
    let (mut runs, mut more, mut upcoming) = (Vec::new(), false, Vec::new());
    if status == StatusCode::OK {
        match find(&page.journal.within(patience), &ask.runs(MOST_RUNS), &|run| viewer.see(run)) {
            Ok(found) => (runs, more) = found,
            Err(journal::Error::Late | journal::Error::Busy | journal::Error::Gone) => {
                let remedy = "the journal took too long: ask for less time, or with more filters";
                (status, failure) = (StatusCode::SERVICE_UNAVAILABLE, remedy.to_owned());
            }
            Err(error) => {
                tracing::error!(%error, "The journal cannot be read for the status page.");
                (status, failure) = (StatusCode::SERVICE_UNAVAILABLE, "the journal cannot be read: see the log".to_owned());
            }
        }
        upcoming = next::ahead(&page.outlook, viewer, &ask, facts.at);
        viewer.complete()?;
    }
    let runs: Vec<_> = runs.into_iter().map(|run| run.at(facts.at)).collect();
    let found = Found { runs, more, upcoming, failure };
    Ok(Answer { status, html: render(page, &facts, report, &ask, found) })
}

/// The newest runs a caller may see, newest first, and whether there are more. What has not ended is among them, however old.
fn find(journal: &Journal, query: &RunQuery, see: &dyn Fn(&Run) -> Option<Run>) -> Result<(Vec<Run>, bool), journal::Error> {
    let page = journal.runs(query, see)?;
    let more = page.next.is_some();
    let mut runs = page.rows;
    if more {
        let known: HashSet<String> = runs.iter().map(|run| run.id.clone()).collect();
        let older = journal.open_runs()?.into_iter().filter(|run| !known.contains(&run.id));
        runs.extend(older.filter_map(|run| see(&run)).filter(|run| query.matches(run)));
        runs.sort_by_key(|run| Reverse(run.started_at));
    }
    Ok((runs, more))
}

fn render(page: &RunsPage, facts: &Facts, report: Report, ask: &Ask, found: Found) -> askama::Result<String> {
    let (count, groups) = view::groups(&found.runs, ask.axis, facts.at, MOST_ROWS);
    let (wrong, health) = health(report);
    let Axis { from, to } = ask.axis;
    let shown = Shown {
        style: STYLE,
        script: SCRIPT,
        role: facts.role,
        version: env!("CARGO_PKG_VERSION"),
        telemetry_path: page.telemetry_path.trim_start_matches('/'),
        at: facts.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        fields: SHOWN.into_iter().map(|(name, title)| (name, title, ask.value(name))).collect(),
        choices: &CHOICES,
        filtered: !ask.pairs.is_empty(),
        more: found.more,
        count,
        groups,
        next: found.upcoming.iter().map(|due| Next::of(due, facts.at)).collect(),
        marks: ask.axis.marks(),
        span: format!("{} to {}", view::clock(from, facts.at), view::clock(to, facts.at)),
        wrong,
        health,
        failure: found.failure,
        blind: facts.sweeps.as_ref().is_some_and(|it| !it.failure.is_empty() || it.limitations.iter().any(|it| it.blinds)),
        ask,
    };
    shown.render()
}

/// What is not well of journal, watches and rights, and the rest in one line. Who scrapes is no matter of this page.
fn health(report: Report) -> (Vec<Line>, String) {
    let (wrong, rest): (Vec<_>, Vec<_>) =
        report.lines.into_iter().filter(|line| line.about != "scrapes").partition(|line| line.mark == doctor::Mark::Bad);
    let told = ["watches", "changes", "sweeps", "journal"];
    let rest: Vec<_> = rest.into_iter().filter(|line| told.contains(&line.about.as_str())).map(|line| line.found).collect();
    (wrong, rest.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::super::access::{Config, Mode};
    use super::super::words::tests::run;
    use super::*;
    use crate::cluster::now::WatchNow;
    use crate::cluster::slots::{Plans, Slots};
    use crate::journal::Batch;
    use crate::node::limits::Limitation;
    use crate::serve::doctor::Sweeps;
    use chaoscope_model::plan::Schedule;
    use chaoscope_model::run::Phase;
    use jiff::{SignedDuration, Timestamp};
    use std::collections::BTreeMap;

    async fn page(facts: Facts, runs: Vec<Run>) -> RunsPage {
        let (journal, _) =
            Journal::open(&journal::Config { folder: None, retention: None, max_bytes: None, settle: std::time::Duration::ZERO }).unwrap();
        journal.record(Batch { runs, ..Batch::default() }).await.unwrap();
        let access = Access::open(Config { mode: Mode::None }).unwrap();
        let outlook = Outlook::new(Arc::new(Plans::default), String::new());
        RunsPage { journal, gather: Arc::new(move || facts.clone()), access, outlook, telemetry_path: "/metrics".to_owned() }
    }

    fn facts(role: &'static str) -> Facts {
        Facts { role, at: Timestamp::from_second(100_000).unwrap(), ..Facts::default() }
    }

    async fn asked(facts: Facts, runs: Vec<Run>, query: &str) -> (StatusCode, String) {
        told(page(facts, runs).await, query).await
    }

    async fn told(page: RunsPage, query: &str) -> (StatusCode, String) {
        let response = show(State(Arc::new(page)), RawQuery(Some(query.to_owned())), HeaderMap::new()).await;
        let status = response.status();
        assert!(response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'; style-src 'sha256-"));
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn names_are_text_whatever_is_in_them() {
        let mut bad = run("<script>alert(1)</script>", 99_000);
        bad.parameters = [("<img src=x>".to_owned(), "\"><b>".to_owned())].into();
        bad.id = "../../\"><x".to_owned();
        let (_, html) = asked(facts("cluster"), vec![bad], "").await;
        assert!(html.contains("&#60;script&#62;alert(1)") && html.contains("href=\"api/v1/runs/..%2F..%2F%22%3E%3Cx\""), "{html}");
        let (_, form) = asked(facts("cluster"), vec![], "text=%22%3E%3Cscript%3E&kind=~%3Cb%3E&kind=%3Cb%3E").await;
        assert!(form.contains("value=\"&#34;&#62;&#60;script&#62;\"") && form.contains("stream?text=%22%3E%3Cscript%3E&#38;"), "{form}");
        for page in [html, form] {
            assert_eq!(page.matches("<script").count(), 1);
            assert!(["<img", "<b>", "<x"].iter().all(|never| !page.contains(never)), "{page}");
        }
    }

    #[tokio::test]
    async fn a_filter_in_the_address_filters_and_goes_on_to_the_stream() {
        let runs = vec![run("one", 99_000), Run { kind: "PodChaos".into(), ..run("two", 99_001) }];
        let (_, html) = asked(facts("cluster"), runs, "kind=PodChaos&last=").await;
        assert!(html.contains("shop/two") && !html.contains("shop/one"));
        assert!(html.contains("api/v1/stream?kind=PodChaos\"") && html.contains("<details open>"));
        let (status, html) = asked(facts("cluster"), vec![run("one", 99_000)], "phase=runing").await;
        assert!(status == StatusCode::BAD_REQUEST && html.contains("is none of") && !html.contains("shop/one"), "{html}");
    }

    /// Every six hours `shop/nightly<b>`, next at 05:00 of the second day.
    fn planned() -> Plans {
        let mut slots = Slots::new(None, &BTreeMap::new());
        let mut nightly =
            Schedule { cron: "@every 6h".into(), makes: "NetworkChaos".into(), action: "delay".into(), ..Schedule::default() };
        (nightly.about.namespace, nightly.about.name) = ("shop".into(), "nightly<b>".into());
        nightly.created_at = Some(Timestamp::from_second(86_400 - 3600).unwrap());
        nightly.duration = Some(SignedDuration::from_secs(90));
        slots.see(&Arc::new(nightly), Timestamp::from_second(86_400).unwrap(), &|_| None);
        slots.plans()
    }

    #[tokio::test]
    async fn what_is_due_within_a_day_stands_above_the_runs() {
        let with = async |query: &str| {
            let page = page(facts("cluster"), vec![run("one", 99_000)]).await;
            told(RunsPage { outlook: Outlook::new(Arc::new(planned), "lab".to_owned()), ..page }, query).await.1
        };
        // It is 03:46:40 of the second day.
        let html = with("").await;
        let wanted = "<li>05:00:00Z <span class=\"soft\">in 1 h 13 min</span> · shop/nightly&#60;b&#62; <span class=\"soft\">· NetworkChaos · delay · for 1 min 30 s · cluster lab</span></li>";
        assert!(html.contains(wanted) && html.contains("<li>23:00:00Z") && html.find("<h2>Next") < html.find("shop/one"), "{html}");
        assert_eq!(html.matches("nightly").count(), 4, "not what is due after a day");
        for (query, shown) in [
            ("namespace=shop&kind=Net*", true),
            ("cluster=other", false),
            ("name=!nightly*", false),
            ("target_pod=web-0", false),
            ("to=1970-01-02T01:00:00Z", false),
            ("phase=runing", false),
        ] {
            assert_eq!(with(query).await.contains("<h2>Next"), shown, "{query}");
        }
        assert!(!asked(facts("cluster"), vec![], "").await.1.contains("<h2>Next"));
    }

    #[tokio::test]
    async fn a_page_without_runs_says_how_to_see_one() {
        for (role, wanted) in [("standalone", "netem delay 100ms"), ("cluster", "kind: NetworkChaos"), ("replay", "This recording ends")] {
            let (_, html) = asked(facts(role), vec![], "").await;
            assert!(html.contains(wanted), "{role}");
        }
        let (_, html) = asked(facts("cluster"), vec![], "namespace=shop").await;
        assert!(html.contains("No such runs in this time") && !html.contains("kubectl"));
    }

    #[tokio::test]
    async fn a_host_that_is_not_seen_whole_is_not_called_calm() {
        let limitation = |blinds| Limitation { what: "namespaces cannot be entered".into(), remedy: "add CAP_SYS_ADMIN".into(), blinds };
        let seen = |blinds| Facts {
            sweeps: Some(Sweeps {
                at: Some(Timestamp::from_second(99_999).unwrap()),
                limitations: vec![limitation(blinds)],
                ..Sweeps::default()
            }),
            ..facts("standalone")
        };
        let (_, html) = asked(seen(true), vec![], "").await;
        assert!(html.contains("Not well") && html.contains("namespaces cannot be entered") && html.contains("add CAP_SYS_ADMIN"), "{html}");
        assert!(html.contains("is not proof") && !html.contains("within a few seconds"), "{html}");
        let (_, html) = asked(seen(false), vec![], "").await;
        assert!(
            !html.contains("Not well") && html.contains("within a few seconds") && html.contains("this host was swept 1 s ago"),
            "{html}"
        );
    }

    #[tokio::test]
    async fn what_is_not_well_stands_above_the_runs() {
        let watch = |resource, reason: &str| WatchNow { resource, up: reason.is_empty(), reason: reason.into(), ..WatchNow::default() };
        let facts = Facts { watches: vec![watch("podchaos", ""), watch("iochaos", "forbidden")], ..facts("cluster") };
        let stuck = Run { phase: Phase::Injecting, ..run("late", 90_000) };
        let (_, html) = asked(facts, vec![run("one", 99_000), stuck], "").await;
        let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is not in {html}"));
        assert!(place("no right to list and watch iochaos") < place("Needs a look"));
        assert!(place("shop/late") < place("shop/one"), "what is stuck comes first");
        assert!(html.contains("1 watch up"));
    }

    #[tokio::test]
    async fn only_what_the_caller_may_see_is_found_and_what_is_open_however_old() {
        let runs: Vec<_> = (0..5).map(|index| run(&format!("run-{index}"), 90_000 + index)).collect();
        let page = page(facts("cluster"), runs).await;
        let ask = Ask::of(vec![], Timestamp::from_second(100_000).unwrap()).unwrap();
        let see = |run: &Run| (run.name != "run-3").then(|| run.clone());
        let (found, more) = find(&page.journal, &ask.runs(2), &see).unwrap();
        let names: Vec<_> = found.iter().map(|run| run.name.as_str()).collect();
        assert_eq!((names, more), (vec!["run-4", "run-2", "run-1", "run-0"], true));
    }
}
