//! The CRDs as a cluster gets them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{ImageSync, ImageSyncSlice};

/// The CRDs of all kinds, in the order in which they are documented.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![ImageSync::crd(), ImageSyncSlice::crd()]
}
