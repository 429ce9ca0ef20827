//! Spans for an OpenTelemetry collector: those of requests and orders, which name their trace.
//!
//! ```text
//!  request ─┬─ order (placed) ── record with traceparent ── order (executed), of this or another process
//!           └─ span closed ─▶ queue of the SDK ─▶ batch, its own thread ─▶ POST <collector>/v1/traces
//! ```
//! A collector that is away costs spans and nothing else; the log says so.

use std::{fmt, sync::Arc, time::Duration, time::SystemTime};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, Response};
use fillstream_retry::Retry;
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor},
};
use parking_lot::Mutex;
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};
use uuid::Uuid;

/// Time for one batch.
const LIMIT: Duration = Duration::from_secs(5);
/// The field of a span that names its trace, as the domain writes it.
const TRACE: &str = "trace_id";

/// The way to a collector.
pub(crate) struct Spans {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").finish_non_exhaustive()
    }
}

impl Spans {
    /// To the collector at this address, its `/v1/traces`.
    pub(crate) fn to(collector: &str) -> Result<Self, crate::Failure> {
        let wrong = || format!("--otlp {collector}: must be an address such as http://127.0.0.1:4318");
        if !["http://", "https://"].iter().any(|scheme| collector.starts_with(scheme)) {
            return Err(wrong().into());
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpJson)
            .with_http_client(Collector::new())
            .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
            .build()
            .map_err(|error| format!("{}: {error}", wrong()))?;
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        processor.set_resource(
            &Resource::builder_empty().with_service_name("fillstream").with_attribute(version).build(),
        );
        Ok(Self { processor, scope: InstrumentationScope::builder("fillstream").build() })
    }

    /// Sends what waits.
    pub(crate) fn end(&self) {
        // The log has said why, if it cannot.
        drop(self.processor.shutdown_with_timeout(LIMIT));
    }
}

/// HTTP for the exporter, whose thread is its own.
struct Collector {
    agent: ureq::Agent,
    sent: Mutex<Retry>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl Collector {
    fn new() -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(LIMIT)).build();
        let retry = Retry::new("otlp: spans not taken by the collector", LIMIT, LIMIT);
        Self { agent: config.into(), sent: Mutex::new(retry) }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        match self.agent.run(Request::from_parts(head, body.to_vec())) {
            Ok(answer) => {
                self.sent.lock().done();
                let (head, mut body) = answer.into_parts();
                Ok(Response::from_parts(head, body.read_to_vec()?.into()))
            }
            Err(error) => {
                self.sent.lock().note(&error);
                Err(error.into())
            }
        }
    }
}

/// Sends the spans that name their trace, once they are closed.
pub(crate) struct Exported(pub(crate) Arc<Spans>);

/// A span that is open.
struct Open {
    began: SystemTime,
    id: SpanId,
    place: Option<Place>,
    attributes: Vec<KeyValue>,
}

/// Place of a span in its trace.
#[derive(Clone, Copy)]
struct Place {
    trace: TraceId,
    parent: SpanId,
    is_remote: bool,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Exported {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let own = Uuid::now_v7().as_u64_pair().1;
        let mut open =
            Open { began: SystemTime::now(), id: SpanId::from(own), place: None, attributes: Vec::new() };
        attributes.record(&mut open);
        if let Some(place) = &mut open.place {
            let around = span.scope().skip(1).find_map(|around| {
                let extensions = around.extensions();
                let around = extensions.get::<Open>()?;
                around.place.is_some_and(|of| of.trace == place.trace).then_some(around.id)
            });
            if let Some(parent) = around {
                *place = Place { parent, is_remote: false, ..*place };
            }
        }
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(open);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let Some(Place { trace, parent, is_remote }) = open.place else { return };
        self.0.processor.on_end(SpanData {
            span_context: SpanContext::new(trace, open.id, TraceFlags::SAMPLED, false, TraceState::default()),
            parent_span_id: parent,
            parent_span_is_remote: is_remote,
            span_kind: SpanKind::Internal,
            name: span.name().into(),
            start_time: open.began,
            end_time: SystemTime::now(),
            attributes: open.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.0.scope.clone(),
        });
    }
}

impl Visit for Open {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == TRACE {
            self.belongs_to(&format!("{value:#?}"));
            return;
        }
        self.attributes.retain(|known| known.key.as_str() != field.name());
        self.attributes.push(KeyValue::new(field.name(), format!("{value:?}")));
    }
}

impl Open {
    /// Reads a trace's id in its alternate form.
    fn belongs_to(&mut self, text: &str) {
        let Some((trace, rest)) = text.split_at_checked(32) else { return };
        let (Ok(trace), Some((sign, other))) = (TraceId::from_hex(trace), rest.split_at_checked(1)) else {
            return;
        };
        let Ok(other) = SpanId::from_hex(other) else { return };
        let is_remote = sign == "-";
        let parent = if is_remote { other } else { SpanId::INVALID };
        if !is_remote {
            self.id = other;
        }
        self.place = Some(Place { trace, parent, is_remote });
    }
}
