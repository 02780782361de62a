//! Asking clients to poll their policy now.

use serde_json::json;

use super::SiteClient;
use super::collection::CollectionId;
use super::lever::{Journal, JournalError, Write};
use super::write::Outcome;
use crate::http::Endpoint;

const NOTIFY: Endpoint = Endpoint {
    template: "/wmi/SMS_ClientOperation.InitiateClientOperation",
    needs: "an administrative user of the site with Notify Resource on Collection",
};

/// Download machine policy; the types are not documented, this one has several witnesses.
const MACHINE_POLICY: u32 = 8;

impl SiteClient {
    /// Asks the clients of `resources`, members of `collection`, to poll their machine policy at some
    /// moment of the next `window` (the site's own unit, as the console shows it: minutes).
    ///
    /// # Errors
    ///
    /// [`JournalError`] when the journal could not be written before; nothing was sent then.
    pub async fn notify_clients<J: Journal>(
        &self,
        collection: &CollectionId,
        resources: &[u32],
        window: u32,
        journal: &J,
    ) -> Result<Outcome, JournalError> {
        let write = Write::Notify {
            collection: collection.clone(),
            resources: resources.to_vec(),
        };
        journal.about_to_send(&write).await?;
        let body = json!({
            "Type": MACHINE_POLICY,
            "TargetCollectionID": collection.as_str(),
            "RandomizationWindow": window,
            "TargetResourceIDs": resources,
        });
        let path = NOTIFY.template.trim_start_matches('/');
        let outcome = self.post(NOTIFY, path, &body).await.outcome;
        journal.sent(&write, &outcome).await?;
        Ok(outcome)
    }
}
