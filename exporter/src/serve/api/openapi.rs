//! `/api/v1/openapi.json`: the contract, for programs. Made from the handlers and from the values they answer; a fuzzer holds both against
//! each other (`tests/api.rs`).
//!
//! Parameters are told here by hand, since one table in the model reads them all. What a schema cannot say (that `from` is not after `to`, what
//! a regular expression is, what a cursor is) is in their descriptions. To add a route: its handler in [`Contract`].

use super::parameters::{LAST_MILLISECOND, LIMIT, MOST};
use super::problem::{MEDIA_TYPE, Told};
use crate::serve::outlook;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use chaoscope_model::query::{self, FIELDS, LONGEST_VALUE, MOST_EXPRESSIONS, MOST_VALUES};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, ContentBuilder, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi, ToSchema as _};

/// The whole contract.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chaoscope",
        description = "Runs of chaos experiments: what was injected, on whom, when, and how it ended. For reading, but for what nodes report.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        super::runs::runs,
        super::runs::run,
        super::events::events,
        super::upcoming::upcoming,
        super::stream::stream,
        super::nodes::nodes,
        super::nodes::follow,
        super::nodes::report,
        crate::serve::doctor::routes::doctor,
        contract
    ),
    components(schemas(Told)),
    security((), ("token" = [])),
    modifiers(&Additions)
)]
struct Contract;

/// What the handlers cannot say about themselves.
struct Additions;

/// Time and page of a list.
pub(super) struct Paging;

/// What filters runs, events and streams.
pub(super) struct Filters;

/// How far to look ahead, and at what.
pub(super) struct Looking;

/// Where a stream goes on.
pub(super) struct LastEventId;

/// Every answer that is none.
pub(in crate::serve) struct Problems;

/// The contract as it is served.
static TEXT: LazyLock<String> = LazyLock::new(|| Contract::openapi().to_json().unwrap_or_else(|_| "{}".to_owned()));

/// This contract.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", operation_id = "getContract", tag = "contract",
    responses((status = 200, description = "The contract.", content_type = "application/json", body = serde_json::Value), Problems)
)]
pub(super) async fn contract() -> Response {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

impl Modify for Additions {
    fn modify(&self, contract: &mut openapi::OpenApi) {
        if let Some(components) = contract.components.as_mut() {
            let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("Needed where --api.auth asks for one."));
            components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
        }
        let operation = contract.paths.paths.get_mut("/api/v1/runs").and_then(|item| item.get.as_mut());
        if let Some(RefOr::T(response)) = operation.and_then(|operation| operation.responses.responses.get_mut("200")) {
            let run = LinkBuilder::new().operation_id("getRun").parameter("id", "$response.body#/runs/0/id");
            response.links.insert("run".to_owned(), RefOr::T(run.build()));
        }
    }
}

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let content = || ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name(Told::name())))).build();
        let answer = |(status, description): (&str, &str)| {
            let response = ResponseBuilder::new().description(description).content(MEDIA_TYPE, content());
            (status.to_owned(), RefOr::T(response.build()))
        };
        let answers = [
            ("400", "A parameter cannot be understood; the answer says which, and what is allowed."),
            ("401", "A token is needed, or this one is not known."),
            ("403", "This token may not do that: it is no node's, or another node's."),
            ("404", "There is no such address, or nothing there that this caller may see."),
            ("405", "Not a method of this address."),
            ("500", "The answer could not be made."),
            ("503", "No room, or something that must be asked cannot be; `Retry-After` says when to come again."),
        ];
        // These come from below the API, without a body.
        let short = [("414", "The address is too long."), ("431", "The headers, or address and headers together, are too long.")];
        let short = short.map(|(status, description)| (status.to_owned(), RefOr::T(openapi::Response::new(description))));
        answers.into_iter().map(answer).chain(short).collect()
    }
}

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let cursor = "Where a page begins: `next` of the page before, which had the same other parameters. Empty: the first.";
        let text = ObjectBuilder::new().schema_type(Type::String);
        vec![
            time("from", "What ended before is left out. An hour before `to` if absent; not after `to`."),
            time("to", "What begins later is left out. Now if absent."),
            limit("Most rows of a page."),
            parameter("cursor", cursor).schema(Some(text)).build(),
        ]
    }
}

impl IntoParams for Filters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        FIELDS.into_iter().chain(["text"]).map(filter).collect()
    }
}

impl IntoParams for Looking {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let times = [
            time("from", "What is due before is left out. Now if absent or past; not after `to`."),
            time("to", "What is due later is left out. A day after `from` if absent; no more than 31 days ahead."),
        ];
        let page = times.into_iter().chain([limit("Most rows.")]);
        page.chain(outlook::FIELDS.into_iter().map(filter)).collect()
    }
}
impl IntoParams for LastEventId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = || Some(RefOr::<Schema>::from(ObjectBuilder::new().schema_type(Type::String)));
        let about = "Where the stream goes on: the last `id` that came. The header counts where both are there.";
        let header = parameter("Last-Event-ID", about).parameter_in(ParameterIn::Header).schema(schema());
        vec![parameter("last_event_id", about).schema(schema()).build(), header.build()]
    }
}

fn parameter(name: &str, about: &str) -> ParameterBuilder {
    let builder = ParameterBuilder::new().name(name).description(Some(about));
    builder.parameter_in(ParameterIn::Query).required(Required::False)
}

/// A time.
fn time(name: &str, about: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(LAST_MILLISECOND));
    let schema = AnyOfBuilder::new().item(text).item(number).build();
    parameter(name, &format!("{about} RFC 3339, or milliseconds since 1970.")).schema(Some(Schema::AnyOf(schema))).build()
}

/// How many rows.
fn limit(about: &str) -> Parameter {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(MOST)).default(Some(LIMIT.into()));
    parameter("limit", about).schema(Some(number)).build()
}

/// One field that filters.
fn filter(field: &str) -> Parameter {
    let about = match field {
        "label" => "A label, as `key=value`.",
        "outcome" => "How it ended; the empty word is for what is open.",
        "phase" => "Where it is; `stuck` and `overdue` are besides that.",
        "reason" => "Of events: what happened.",
        "type" => "Of events: whether it is worth a second look.",
        "text" => "Found anywhere in names, messages, parameters, attributes, labels' values, workloads or uids, in upper or lower case.",
        _ => "Of the experiment or the target, as the name says.",
    };
    let how = "Repeated: any of them. A value may hold `*` for anything, begin with `!` for not, or with `~` for a regular expression";
    let extent = if field == "text" { "somewhere in the value" } else { "of the whole value" };
    let about = format!("{about} {how} {extent} (at most {MOST_EXPRESSIONS} in a query).");
    let values = ArrayBuilder::new().items(value(field)).max_items(Some(MOST_VALUES));
    parameter(field, &about).style(Some(ParameterStyle::Form)).explode(Some(true)).schema(Some(values)).build()
}

/// One value of a parameter.
fn value(field: &str) -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String).max_length(Some(LONGEST_VALUE));
    let shaped = |pattern: &str| -> Object { text().pattern(Some(pattern)).build() };
    let patterns = || AnyOfBuilder::new().item(shaped(r"\*")).item(shaped("^!?~"));
    if field == "label" {
        return Schema::AnyOf(patterns().item(shaped("=")).build()).into();
    }
    match query::closed(field) {
        Some(words) => {
            let words = words.iter().flat_map(|word| [(*word).to_owned(), format!("!{word}")]);
            let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.collect::<Vec<_>>()));
            Schema::AnyOf(patterns().item(words).build()).into()
        }
        None => text().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_tells_every_route_and_every_parameter() {
        let contract: serde_json::Value = serde_json::from_str(&TEXT).unwrap();
        let paths: Vec<_> = contract["paths"].as_object().unwrap().keys().collect();
        let wanted =
            ["doctor", "events", "node/{name}", "node/{name}/verdicts", "nodes", "openapi.json", "runs", "runs/{id}", "stream", "upcoming"];
        assert_eq!(paths, wanted.map(|path| format!("/api/v1/{path}")).iter().collect::<Vec<_>>());
        let names = |path: &str| {
            let parameters = contract["paths"][path]["get"]["parameters"].as_array().unwrap();
            parameters.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("/api/v1/upcoming"), [&["from", "to", "limit"][..], &outlook::FIELDS].concat());
        assert_eq!(names("/api/v1/runs"), [&["from", "to", "limit", "cursor"][..], &FIELDS, &["text"]].concat());
        assert!(TEXT.contains("application/problem+json") && TEXT.contains("text/event-stream"));
        assert_eq!(contract["components"]["schemas"]["Run"]["properties"]["started_at"]["format"], "date-time");
    }

    #[test]
    fn every_word_of_a_closed_set_is_in_it() {
        let text = serde_json::to_string(&value("phase")).unwrap();
        assert!(text.contains("\"!stuck\"") && text.contains("\"selecting\""), "{text}");
    }
}
