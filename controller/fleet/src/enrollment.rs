//! The documented errors of enrolment.

/// The short name of an enrolment error, where it has one
/// (memdocs: comanage/how-to-monitor.md and the MENROLL error codes it names).
#[must_use]
pub fn error_name(code: u32) -> Option<&'static str> {
    Some(match code {
        2_147_549_183 => "E_UNEXPECTED",
        2_149_056_536 => "MENROLL_E_USERLICENSE",
        2_149_056_555 => "MENROLL_E_MDM_NOT_CONFIGURED",
        2_149_056_554 => "MENROLL_E_USER_CANCELLED",
        2_149_056_532 => "MENROLL_E_DEVICENOTSUPPORTED",
        2_149_056_533 => "MENROLL_E_NOTSUPPORTED",
        2_149_056_514 => "MENROLL_E_DEVICE_AUTHENTICATION_ERROR",
        2_147_942_450 => "ERROR_NOT_SUPPORTED",
        2_149_056_517 => "MENROLL_E_MDM_SERVER_FAILURE",
        2_147_943_568 => "ERROR_NOT_FOUND",
        2_149_134_055 => "WININET_E_NAME_NOT_RESOLVED",
        2_149_134_050 => "WININET_E_TIMEOUT",
        _ => return None,
    })
}
