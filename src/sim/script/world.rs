//! What a scenario says of the world around its devices: the image, the management app, the broker. The reference of
//! all keys is in [`super::scenario`].

use serde::Deserialize;

use super::values::LinkScheme;

/// `[image]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageScript {
    /// Bytes, footer included.
    pub size: usize,
    /// Goes into the footer's name.
    pub version: String,
    /// How it is signed.
    pub kind: ImageKind,
}

impl Default for ImageScript {
    fn default() -> Self {
        Self {
            size: 200_000,
            version: "1.2.3".to_owned(),
            kind: ImageKind::Signed,
        }
    }
}

/// How an image is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageKind {
    /// By the devices' firmware key, mode 0.
    Signed,
    /// By a key that the devices do not know.
    OtherKey,
    /// Not at all.
    NoFooter,
    /// By the devices' firmware key, mode 0x80.
    Mode80,
    /// By the devices' firmware key, in a layout that only devices know (section 11: it may change).
    NewLayout,
}

/// `[broker]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrokerScript {
    /// Nothing listens there.
    pub down: bool,
    /// How it is spoken to.
    pub scheme: LinkScheme,
    /// Check-ins name the image as `newfws`, and the app as `newuis`.
    pub offer: bool,
    /// What downloads bring.
    pub download: Download,
}

/// What comes of a download (section 12).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Download {
    /// The file of that name.
    #[default]
    Right,
    /// Another file, as good as that one.
    Wrong,
    /// Half of it.
    Short,
}

/// `[app]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppScript {
    /// Bytes; what is made is up to one block of an archive smaller.
    pub size: usize,
}

impl Default for AppScript {
    fn default() -> Self {
        Self { size: 300_000 }
    }
}
