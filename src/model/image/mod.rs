//! What is rolled out: firmware images, management apps, versions, and whose images are trusted.

pub(super) mod allowed_images;
pub(super) mod firmware;
pub(super) mod firmware_version;
pub(super) mod management_app;
