//! The CRDs as a cluster gets them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::{ImageSync, ImageSyncSlice};

/// The CRDs of all kinds, in the order in which they are documented.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![ImageSync::crd(), ImageSyncSlice::crd()];
    let versions = crds.iter_mut().flat_map(|crd| &mut crd.spec.versions);
    for root in versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()) {
        root.title = None;
        refine(root);
        start_unobserved(root);
    }
    crds
}

fn refine(schema: &mut JSONSchemaProps) {
    // A null, such as a template leaves behind, then means "not given": the API server drops it. Where a schema
    // allows null it is kept, and a rule's `has()` is true of it.
    schema.nullable = None;
    // `kubectl explain` wraps the lines itself.
    let paragraphs =
        |text: String| text.split("\n\n").map(|p| p.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    schema.description = schema.description.take().map(paragraphs);

    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(refine);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        refine(items);
    }
}

/// Tools that wait for objects take one without a status for ready. This default says that nobody has looked at
/// it yet.
fn start_unobserved(root: &mut JSONSchemaProps) {
    if let Some(status) = root.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
        status.default = Some(JSON(json!({"observedGeneration": -1})));
    }
}
