//! Plans that are kept until somebody approves them: made and carried out beside whatever else the server does.
//!
//! **Start at** [`Engine::begin_plan`]. What becomes of a plan is stored; whoever asks looks there.

use rollcall_app::directory::Context;
use rollcall_app::plans::Made;
use rollcall_model::{Actor, ApplicationId, Origin};

use crate::{Engine, Error, Watch};

/// What is said of a plan whose maker broke down.
const BROKEN: &str = "something is wrong with this server: it was noted in the server's log";

impl Engine {
    /// Begins to make a plan of an application's next cycle, and returns its number; nobody need wait.
    ///
    /// # Errors
    /// Those of [`rollcall_app::App::begin_plan`].
    pub async fn begin_plan(
        &self,
        context: &Context,
        application: ApplicationId,
    ) -> Result<u64, Error> {
        let number = self.app.begin_plan(context, application).await?;
        let (engine, context) = (self.clone(), context.clone());
        tokio::spawn(async move {
            let made = tokio::spawn({
                let (engine, context) = (engine.clone(), context.clone());
                async move { engine.made(&context, application).await }
            });
            let made = made.await.unwrap_or_else(|_| Err(BROKEN.to_owned()));
            let app = &engine.app;
            if let Err(failure) = app.end_plan(&context, application, number, made).await {
                tracing::warn!(%application, number, %failure, "a plan cannot be stored");
            }
        });
        Ok(number)
    }

    async fn made(&self, context: &Context, application: ApplicationId) -> Result<Made, String> {
        let plan = self.plan(context, application, Watch::default()).await;
        let plan = plan.map_err(|error| error.to_string())?;
        tokio::task::spawn_blocking(move || Made::of(&plan))
            .await
            .map_err(|_| BROKEN.to_owned())
    }

    /// Approves a plan, and begins to carry it out; nobody need wait.
    ///
    /// # Errors
    /// Those of [`rollcall_app::App::approve_plan`].
    pub async fn approve_plan(
        &self,
        context: &Context,
        application: ApplicationId,
        number: u64,
    ) -> Result<(), Error> {
        let plan = self.app.approve_plan(context, application, number).await?;
        let (engine, context) = (self.clone(), context.clone());
        tokio::spawn(async move {
            let applied = tokio::spawn({
                let (engine, context) = (engine.clone(), context.clone());
                async move {
                    let watch = Watch::default();
                    engine.apply(&context, application, plan, watch).await
                }
            });
            let refused = match applied.await {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(BROKEN.to_owned()),
            };
            let app = &engine.app;
            if let Err(failure) = app
                .settle_plan(&context, application, number, refused)
                .await
            {
                tracing::warn!(%application, number, %failure, "what became of a plan cannot be stored");
            }
        });
        Ok(())
    }

    /// Notes of all plans that a server before this one was making or carrying out that nobody does so any more.
    pub(crate) async fn bury_plans(&self) {
        let organisations = match self.app.store().organisations().await {
            Ok(organisations) => organisations,
            Err(error) => {
                tracing::warn!(%error, "the organisations cannot be read");
                return;
            }
        };
        for organisation in organisations {
            let origin = Origin {
                actor: Actor::System,
                request: self.app.new_request_id(),
                address: None,
            };
            let tenant = self.app.store().tenant(organisation.id);
            let context = Context::new(tenant, origin, None);
            if let Err(failure) = self.app.bury_plans(&context).await {
                tracing::warn!(organisation = %organisation.id, %failure, "its plans cannot be read");
            }
        }
    }
}
