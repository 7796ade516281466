//! The paths of the endpoints of devices and broker. What is said there is in `json`, `audit` and `approval`.

/// Section 4.
pub const VERSION: &str = "/api/system/version";
/// Section 4.
pub const STATUS: &str = "/api/system/status";
/// Section 5, both of the device's steps.
pub const CHECKIN: &str = "/api/system/checkin";
/// Section 6: GET brings a challenge, POST a token.
pub const TOKEN: &str = "/api/auth/token";
/// Section 7.
pub const UPLOAD_FW: &str = "/api/system/upgrade/upload_fw";
/// Section 7.
pub const CHECK_FW: &str = "/api/system/upgrade/check_fw";
/// Section 7.
pub const INSTALL_FW: &str = "/api/system/upgrade/install_fw";
/// Section 8.
pub const UPLOAD_UI: &str = "/api/system/upgrade/upload_ui";
/// Section 8.
pub const CHECK_UI: &str = "/api/system/upgrade/check_ui";
/// Section 8.
pub const INSTALL_UI: &str = "/api/system/upgrade/install_ui";
/// Section 9: the log key and its proof.
pub const LOG_KEY: &str = "/api/logger/key";
/// Section 9: the list of log files; an offset follows.
pub const LOG_LIST: &str = "/api/logger/list/";
/// Section 9: a log file; its id follows.
pub const LOG_FILE: &str = "/api/logger/";
/// Section 10, step 2.
pub const EXT_REQUEST: &str = "/api/auth/ext/request";
/// Section 10, step 5.
pub const EXT_TOKEN: &str = "/api/auth/ext/token";
/// The broker's step of a check-in, under the broker's own base URL (sections 5 and 12).
pub const BROKER_CHECKIN: &str = "/checkin";
/// Section 10, step 1, at the broker.
pub const NOTIFY_SESSION: &str = "/notify/session";
/// Section 10, step 3, at the broker.
pub const NOTIFY_NEW: &str = "/notify/event/new";
/// Section 10, step 4, at the broker; the event's id follows.
pub const NOTIFY_CHECK: &str = "/notify/event/check/";
/// Section 10, step 6, at the broker; the event's id follows.
pub const NOTIFY_EVENT: &str = "/notify/event/";
/// Section 12, at the broker; `{v}/bin` follows.
pub const DOWNLOAD_FIRMWARE: &str = "/download/firmware/";
/// Section 12, at the broker; `{v}` follows.
pub const DOWNLOAD_UI: &str = "/download/dashboard/";

/// How a `newfws` or `newuis` stands in a download's path (section 12): `/` → `_`, `+` → `-`, trailing
/// `=` cut.
pub fn download_name(announced: &str) -> String {
    announced
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '/' => '_',
            '+' => '-',
            c => c,
        })
        .collect()
}
