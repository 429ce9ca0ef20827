//! The router that takes a route with its description or not at all.

use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, MethodRouter},
};

use serde_json::json;

use super::{
    Channel, Message, Operation, Reach, Shape,
    operation::{Answer, Place},
};
use crate::Problem;

/// A method of a path as clients see it.
#[derive(Debug, Clone)]
pub struct Described {
    /// As in OpenAPI: `/api/v1/orders/{order_id}`.
    pub path: &'static str,
    /// In upper case.
    pub method: Method,
    pub(super) operation: Operation,
}

impl Described {
    /// The operation as a request over another carrier, `subject`: one object with the members of path, query and body;
    /// `renamed` says how a member is called there. Answered by what HTTP answers.
    #[must_use]
    pub fn over(&self, subject: &'static str, about: &'static str, renamed: &[(&str, &str)]) -> Channel {
        let Operation { parameters, body, answers, .. } = &self.operation;
        let written = match body.as_ref().map(|body| &body.shape) {
            Some(Shape::Is(schema)) => schema.clone(),
            Some(Shape::Of(_)) | None => json!({ "type": "object" }),
        };
        let mut request = written;
        let mut required = request["required"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|one| one.place != Place::Header) {
            let other = renamed.iter().find(|(name, _)| *name == parameter.name);
            let name = other.map_or(parameter.name, |(_, other)| other);
            request["properties"][name] = parameter.schema.clone();
            if parameter.place == Place::Path {
                required.push(json!(name));
            }
        }
        request["required"] = required.into();
        let answer = |(status, answer): (&u16, &Answer)| {
            let (_, shape) =
                answer.contents.iter().find(|(media_type, _)| *media_type == "application/json")?;
            Some(Message::new(format!("{subject}.{status}"), answer.about, shape.clone()))
        };
        let problem =
            Message::new(format!("{subject}.problem"), "What HTTP answers.", Shape::of::<Problem>());
        Channel::new(subject, Reach::Subject, subject, about)
            .hears([Message::new(format!("{subject}.request"), about, Shape::Is(request))])
            .replies(answers.iter().filter_map(answer).chain([problem]))
    }
}

/// Routes, each with what is told about it.
#[derive(Debug)]
#[must_use]
pub struct Routes<S = ()> {
    router: Router<S>,
    described: Vec<Described>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None.
    pub fn new() -> Self {
        Self { router: Router::new(), described: Vec::new() }
    }

    /// A method of a path.
    ///
    /// # Panics
    /// When the path has the method already, or the method is none that a route can have.
    pub fn on<H, T>(self, method: Method, path: &'static str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on_each(method, path, handler, [(path, operation)])
    }

    /// One route for several paths as clients see them: `/markets/{*path}`.
    ///
    /// # Panics
    /// As [`on`](Self::on).
    pub fn on_each<H, T>(
        mut self,
        method: Method,
        route: &'static str,
        handler: H,
        seen: impl IntoIterator<Item = (&'static str, Operation)>,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("routes have ordinary methods");
        self.router = self.router.route(route, MethodRouter::new().on(filter, handler));
        let seen = seen.into_iter();
        self.described.extend(seen.map(|(path, operation)| Described {
            path,
            method: method.clone(),
            operation,
        }));
        self
    }

    /// Tells of what is answered before the router is asked: sockets.
    pub fn also(mut self, path: &'static str, operation: Operation) -> Self {
        self.described.push(Described { path, method: Method::GET, operation });
        self
    }

    /// These and those.
    pub fn merge(mut self, other: Self) -> Self {
        self.described.extend(other.described);
        Self { router: self.router.merge(other.router), described: self.described }
    }

    /// Files for people to look at, described as one.
    pub fn files(mut self, files: Router<S>, path: &'static str, operation: Operation) -> Self {
        self.router = self.router.merge(files);
        self.also(path, operation)
    }

    /// Gives the handlers what they work with.
    pub fn with_state<T>(self, state: S) -> Routes<T> {
        Routes { router: self.router.with_state(state), described: self.described }
    }

    /// Descriptions so far.
    #[must_use]
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    /// The routes alone.
    pub fn into_router(self) -> Router<S> {
        self.router
    }
}
