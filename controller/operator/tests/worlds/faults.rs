//! What goes wrong with the services.

use diarchy_simulator::{Failure, Fault, Service};

use crate::draw::Draw;

fn status(draw: &mut Draw, after_effect: bool) -> Failure {
    let status = *draw.pick(&[429_u16, 500, 502, 503, 504]);
    let waits = status == 429 || status == 503;
    let retry_after = (waits && draw.happens(70)).then(|| draw.between(1, 400).to_string());
    Failure::Status {
        status: if after_effect && status == 429 {
            500
        } else {
            status
        },
        retry_after,
        after_effect,
    }
}

/// A fault of either service, for some requests or until it is mended.
pub fn fault(draw: &mut Draw) -> Fault {
    let service = if draw.happens(65) {
        Service::AdminService
    } else {
        Service::Graph
    };
    let fault = match draw.below(10) {
        0 => Fault::new(service, "", Failure::Refused),
        1 => Fault::new(service, listing(draw, service), Failure::EmptyList),
        2 => {
            let keep = f64::from(u32::try_from(draw.between(20, 95)).expect("a share")) / 100.0;
            Fault::new(service, listing(draw, service), Failure::Truncated { keep })
        }
        3 => Fault::new(service, listing(draw, service), Failure::MalformedJson),
        4 => Fault::new(service, listing(draw, service), status(draw, false)),
        5 => Fault::new(service, "", status(draw, false)),
        6 => Fault::new(service, "", Failure::CutOff),
        7 => Fault::new(Service::AdminService, "", Failure::CutOff).method("POST"),
        8 => Fault::new(Service::AdminService, "", status(draw, true)).method("POST"),
        _ => Fault::new(Service::AdminService, "", status(draw, false)).method("POST"),
    };
    let fault = fault.after(u32::try_from(draw.below(6)).expect("few"));
    if draw.happens(75) {
        fault.times(u32::try_from(draw.between(1, 8)).expect("few"))
    } else {
        fault
    }
}

/// Whether a fault leaves something out without a word.
pub fn cuts(fault: &Fault) -> bool {
    matches!(
        fault.failure,
        Failure::EmptyList | Failure::Truncated { .. }
    )
}

fn listing(draw: &mut Draw, service: Service) -> &'static str {
    match service {
        Service::Graph => draw.pick::<&str>(&["managedDevices", "/devices", ""]),
        Service::AdminService => draw.pick::<&str>(&[
            "SMS_R_System",
            "SMS_Collection",
            "SMS_FullCollectionMembership",
            "ComanagementState",
            "",
        ]),
    }
}
