//! Every route says what it asks of whoever comes.
//!
//! **Is:** the only place where a path is handed to the router. An [`Entry`] cannot be made without a policy, and clippy refuses axum's own
//! ways everywhere else (`clippy.toml`), so a route that forgot its policy fails the build. A surface declares policies of one type `P`,
//! the one that it can see to, and hands over what sees to it ([`Table::guarded`]).
//! **Is not:** what sees to a policy: the bearer is checked by the endpoint, sessions by the console.
//! **Start at** [`Table`]. The tests of access are made of [`Route`]s, so none can be forgotten there either.

use std::convert::Infallible;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use http::Method;
use rollcall_model::{KeyRole, Permission};

/// What a request to the console has to bring before its handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: anyone may see it.
    Nothing,
    /// A sign-in that has begun, whatever is still missing.
    Begun,
    /// A session. For what concerns only its owner.
    Session,
    /// A session whose role allows this.
    Role(Permission),
    /// Likewise, and a proof of identity that is at most five minutes old.
    Fresh(Permission),
}

/// Anyone may ask, and nothing of a request is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Public;

/// The provisioning token of an integration of the organisation in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer;

/// An API key of an organisation with at least this role; the key says which organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub KeyRole);

/// Anyone who reaches the address for those who watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watchers;

/// What a route asks of whoever sends a request to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// See [`Public`].
    Public,
    /// See [`Bearer`].
    Bearer,
    /// See [`Key`].
    Key(KeyRole),
    /// A page or a form of the console.
    Console(Needs),
    /// See [`Watchers`].
    Watchers,
}

impl From<Public> for Policy {
    fn from(_: Public) -> Self {
        Self::Public
    }
}

impl From<Bearer> for Policy {
    fn from(_: Bearer) -> Self {
        Self::Bearer
    }
}

impl From<Key> for Policy {
    fn from(Key(role): Key) -> Self {
        Self::Key(role)
    }
}

impl From<Needs> for Policy {
    fn from(needs: Needs) -> Self {
        Self::Console(needs)
    }
}

impl From<Watchers> for Policy {
    fn from(_: Watchers) -> Self {
        Self::Watchers
    }
}

/// A route, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method. Who may `GET` may ask for the `HEAD`.
    pub method: Method,
    /// The path, with `{placeholders}`.
    pub path: String,
    /// What it asks.
    pub policy: Policy,
}

/// A route with its handler.
#[derive(Debug)]
pub struct Entry<S, P> {
    method: Method,
    path: String,
    policy: P,
    handler: MethodRouter<S>,
}

/// Makes one constructor for each method.
macro_rules! constructors {
    ($($name:ident $method:ident),*) => {$(
        #[doc = concat!("Makes the entry of a `", stringify!($method), "`.")]
        pub fn $name<H, T>(path: impl Into<String>, policy: P, handler: H) -> Self
        where
            H: Handler<T, S>,
            T: 'static,
        {
            Self {
                method: Method::$method,
                path: path.into(),
                policy,
                handler: routing::$name(handler),
            }
        }
    )*};
}

impl<S, P> Entry<S, P>
where
    S: Clone + Send + Sync + 'static,
    P: Copy + Into<Policy>,
{
    constructors!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

    /// Gives the handler a value of its own, which it takes as an `axum::Extension`.
    #[must_use]
    pub fn told<V: Clone + Send + Sync + 'static>(self, value: V) -> Self {
        Self {
            handler: self.handler.layer(axum::Extension(value)),
            ..self
        }
    }

    /// Describes it.
    pub fn route(&self) -> Route {
        Route {
            method: self.method.clone(),
            path: self.path.clone(),
            policy: self.policy.into(),
        }
    }
}

/// The routes of a surface, on their way to the router.
#[derive(Debug)]
pub struct Table<S, P> {
    prefix: Option<&'static str>,
    entries: Vec<Entry<S, P>>,
    no_path: Option<(P, MethodRouter<S>)>,
    no_method: Option<(P, MethodRouter<S>)>,
}

impl<S, P> Table<S, P>
where
    S: Clone + Send + Sync + 'static,
    P: Copy + Into<Policy>,
{
    /// Makes a table of entries.
    pub fn new(entries: Vec<Entry<S, P>>) -> Self {
        Self {
            prefix: None,
            entries,
            no_path: None,
            no_method: None,
        }
    }

    /// Puts all of them under a prefix, which may have placeholders.
    #[must_use]
    pub fn under(self, prefix: &'static str) -> Self {
        Self {
            prefix: Some(prefix),
            ..self
        }
    }

    /// Says what is answered, and to whom, where no path fits.
    #[must_use]
    pub fn or_no_path<H, T>(self, policy: P, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self {
            no_path: Some((policy, MethodRouter::new().fallback(handler))),
            ..self
        }
    }

    /// Says what is answered, and to whom, where a path fits and its method does not.
    #[must_use]
    pub fn or_no_method<H, T>(self, policy: P, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self {
            no_method: Some((policy, MethodRouter::new().fallback(handler))),
            ..self
        }
    }

    /// Lists the routes.
    pub fn list(&self) -> Vec<Route> {
        let prefix = self.prefix.unwrap_or_default();
        let whole = |route: Route| Route {
            path: format!("{prefix}{}", route.path),
            ..route
        };
        self.entries
            .iter()
            .map(|entry| whole(entry.route()))
            .collect()
    }

    /// Puts before every handler what sees to its policy.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where paths are handed to the router: each has a policy"
    )]
    pub fn guarded(
        self,
        state: S,
        guard: impl Fn(P, MethodRouter<S>) -> MethodRouter<S>,
    ) -> Routes {
        let list = self.list();
        let mut paths: Vec<(String, MethodRouter<S, Infallible>)> = Vec::new();
        for Entry {
            path,
            policy,
            handler,
            ..
        } in self.entries
        {
            let handler = guard(policy, handler);
            match paths.iter_mut().find(|(there, _)| *there == path) {
                Some((_, there)) => *there = std::mem::take(there).merge(handler),
                None => paths.push((path, handler)),
            }
        }
        let mut router = Router::new();
        for (path, mut handler) in paths {
            if let Some((policy, no_method)) = &self.no_method {
                handler = handler.merge(guard(*policy, no_method.clone()));
            }
            router = router.route(&path, handler);
        }
        if let Some((policy, no_path)) = self.no_path {
            router = router.fallback(guard(policy, no_path));
        }
        let router = match self.prefix {
            Some(prefix) => Router::new().nest(prefix, router),
            None => router,
        };
        Routes {
            list,
            router: router.with_state(state),
        }
    }
}

/// Routes, each with what sees to its policy before it.
#[derive(Debug, Default)]
pub struct Routes {
    list: Vec<Route>,
    router: Router,
}

impl Routes {
    /// Adds those of another surface.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.list.extend(other.list);
        Self {
            list: self.list,
            router: self.router.merge(other.router),
        }
    }

    /// Lists them.
    pub fn list(&self) -> &[Route] {
        &self.list
    }

    /// Returns what answers them.
    pub fn into_router(self) -> Router {
        self.router
    }
}

/// Returns a router that asks another one about everything, whatever its paths are.
#[expect(
    clippy::disallowed_methods,
    reason = "it has no path of its own: what is behind it has its policies"
)]
pub(crate) fn before(router: Router) -> Router {
    Router::new().fallback_service(router)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::middleware::{Next, from_fn};
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn closed(_: Request<Body>, _: Next) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    #[tokio::test]
    async fn what_sees_to_a_policy_stands_before_every_handler_whatever_fits() {
        let table: Table<(), Needs> = Table::new(vec![
            Entry::get("/a", Needs::Nothing, async || "a"),
            Entry::post("/a", Needs::Session, async || "posted"),
        ])
        .under("/in/{place}")
        .or_no_path(Needs::Session, async || StatusCode::NOT_FOUND)
        .or_no_method(Needs::Session, async || StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(
            table.list(),
            [
                Route {
                    method: Method::GET,
                    path: "/in/{place}/a".into(),
                    policy: Policy::Console(Needs::Nothing),
                },
                Route {
                    method: Method::POST,
                    path: "/in/{place}/a".into(),
                    policy: Policy::Console(Needs::Session),
                },
            ]
        );
        let routes = table.guarded((), |needs, handler| match needs {
            Needs::Nothing => handler,
            _ => handler.layer(from_fn(closed)),
        });
        let router = routes.into_router();

        for (method, path, status) in [
            ("GET", "/in/x/a", 200),
            ("HEAD", "/in/x/a", 200),
            ("POST", "/in/x/a", 403),
            ("PUT", "/in/x/a", 403),
            ("GET", "/in/x/b", 403),
            ("GET", "/b", 404),
        ] {
            let request = Request::builder().method(method).uri(path);
            let request = request.body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        }
    }
}
