//! The words that the fleet is made of: hardware, builds, places, people.

/// The form of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chassis {
    Laptop,
    Desktop,
    Convertible,
    Server,
    Phone,
}

impl Chassis {
    /// `ChassisTypes` of the system enclosure, as SMBIOS numbers them.
    pub(crate) fn smbios(self) -> &'static str {
        match self {
            Self::Laptop => "10",
            Self::Desktop => "3",
            Self::Convertible => "31",
            Self::Server => "23",
            Self::Phone => "11",
        }
    }

    /// `chassisType` of Graph's managedDevice, which knows no convertible.
    pub(crate) fn graph(self) -> &'static str {
        match self {
            Self::Laptop | Self::Convertible => "laptop",
            Self::Desktop => "desktop",
            Self::Server => "enterpriseServer",
            Self::Phone => "phone",
        }
    }

    /// Its letters in a machine's name.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Laptop => "LT",
            Self::Desktop => "WS",
            Self::Convertible => "TB",
            Self::Server => "SRV",
            Self::Phone => "PH",
        }
    }
}

/// A product.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) manufacturer: &'static str,
    pub(crate) name: &'static str,
    pub(crate) chassis: Chassis,
}

const fn model(manufacturer: &'static str, name: &'static str, chassis: Chassis) -> Model {
    Model {
        manufacturer,
        name,
        chassis,
    }
}

pub(crate) static CLIENT_MODELS: [(u32, Model); 16] = [
    (14, model("Dell Inc.", "Latitude 5440", Chassis::Laptop)),
    (10, model("Dell Inc.", "Latitude 7440", Chassis::Laptop)),
    (6, model("Dell Inc.", "Latitude 7640", Chassis::Laptop)),
    (
        4,
        model("Dell Inc.", "Latitude 7350 2-in-1", Chassis::Convertible),
    ),
    (9, model("Dell Inc.", "OptiPlex 7010", Chassis::Desktop)),
    (
        12,
        model(
            "HP",
            "HP EliteBook 840 14 inch G10 Notebook PC",
            Chassis::Laptop,
        ),
    ),
    (
        3,
        model(
            "HP",
            "HP Elite x360 1040 14 inch G10 2-in-1 Notebook PC",
            Chassis::Convertible,
        ),
    ),
    (
        6,
        model(
            "HP",
            "HP ProDesk 400 G9 Small Form Factor Desktop PC",
            Chassis::Desktop,
        ),
    ),
    (12, model("LENOVO", "ThinkPad T14 Gen 4", Chassis::Laptop)),
    (
        6,
        model("LENOVO", "ThinkPad X1 Carbon Gen 11", Chassis::Laptop),
    ),
    (
        3,
        model("LENOVO", "ThinkPad X1 Yoga Gen 8", Chassis::Convertible),
    ),
    (
        5,
        model("LENOVO", "ThinkCentre M70q Gen 4", Chassis::Desktop),
    ),
    (
        4,
        model("Microsoft Corporation", "Surface Laptop 5", Chassis::Laptop),
    ),
    (
        3,
        model(
            "Microsoft Corporation",
            "Surface Pro 9",
            Chassis::Convertible,
        ),
    ),
    (
        2,
        model(
            "Microsoft Corporation",
            "Surface Laptop Studio 2",
            Chassis::Convertible,
        ),
    ),
    (
        1,
        model("Microsoft Corporation", "Virtual Machine", Chassis::Desktop),
    ),
];

pub(crate) static SERVER_MODELS: [(u32, Model); 3] = [
    (5, model("Dell Inc.", "PowerEdge R650", Chassis::Server)),
    (4, model("HPE", "ProLiant DL380 Gen10", Chassis::Server)),
    (6, model("VMware, Inc.", "VMware7,1", Chassis::Server)),
];

pub(crate) static PHONE_MODELS: [(u32, Model); 4] = [
    (5, model("Apple", "iPhone 15", Chassis::Phone)),
    (3, model("Apple", "iPhone 14 Pro", Chassis::Phone)),
    (3, model("samsung", "SM-S921B", Chassis::Phone)),
    (2, model("Google", "Pixel 8", Chassis::Phone)),
];

/// A Windows build and the cumulative updates seen in the fleet.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) number: u32,
    pub(crate) revisions: &'static [u32],
}

pub(crate) static CLIENT_BUILDS: [(u32, Build); 5] = [
    (
        22,
        Build {
            number: 19045,
            revisions: &[3930, 4529, 5011, 5247, 6093],
        },
    ),
    (
        10,
        Build {
            number: 22621,
            revisions: &[2715, 3593, 4317, 4602],
        },
    ),
    (
        34,
        Build {
            number: 22631,
            revisions: &[3447, 4317, 4460, 4751, 5335],
        },
    ),
    (
        24,
        Build {
            number: 26100,
            revisions: &[2314, 3194, 4061, 4652],
        },
    ),
    (
        10,
        Build {
            number: 26200,
            revisions: &[6584, 6899],
        },
    ),
];

/// Windows 10 1703, too old to be co-managed.
pub(crate) static OLD_BUILD: Build = Build {
    number: 15063,
    revisions: &[2409, 2679],
};

pub(crate) static SERVER_BUILDS: [(u32, Build); 3] = [
    (
        3,
        Build {
            number: 17763,
            revisions: &[6414, 6775],
        },
    ),
    (
        4,
        Build {
            number: 20348,
            revisions: &[2762, 3091],
        },
    ),
    (
        2,
        Build {
            number: 26100,
            revisions: &[2314, 4061],
        },
    ),
];

/// Versions of the Configuration Manager client.
pub(crate) static CLIENT_VERSIONS: [(u32, &str); 4] = [
    (60, "5.00.9132.1011"),
    (25, "5.00.9128.1007"),
    (12, "5.00.9122.1033"),
    (3, "5.00.9106.1000"),
];

/// An office.
#[derive(Debug)]
pub(crate) struct Place {
    /// ISO 3166-1 alpha-2.
    pub(crate) country: &'static str,
    pub(crate) city: &'static str,
    pub(crate) ad_site: &'static str,
}

const fn place(country: &'static str, city: &'static str, ad_site: &'static str) -> Place {
    Place {
        country,
        city,
        ad_site,
    }
}

pub(crate) static PLACES: [(u32, Place); 18] = [
    (16, place("FR", "Paris", "FR-Paris")),
    (6, place("FR", "Lyon", "FR-Lyon")),
    (9, place("DE", "Berlin", "DE-Berlin")),
    (8, place("DE", "München", "DE-Muenchen")),
    (7, place("ES", "Madrid", "ES-Madrid")),
    (5, place("ES", "Barcelona", "ES-Barcelona")),
    (6, place("IT", "Milano", "IT-Milano")),
    (5, place("NL", "Amsterdam", "NL-Amsterdam")),
    (8, place("GB", "London", "GB-London")),
    (3, place("GB", "Manchester", "GB-Manchester")),
    (3, place("NO", "Oslo", "NO-Oslo")),
    (4, place("SE", "Stockholm", "SE-Stockholm")),
    (3, place("PL", "Kraków", "PL-Krakow")),
    (9, place("US", "New York", "US-NewYork")),
    (6, place("US", "Chicago", "US-Chicago")),
    (4, place("JP", "Tokyo", "JP-Tokyo")),
    (4, place("IN", "Bengaluru", "IN-Bengaluru")),
    (2, place("BR", "São Paulo", "BR-SaoPaulo")),
];

pub(crate) static DEPARTMENTS: [(u32, &str); 9] = [
    (20, "Sales"),
    (12, "Finance"),
    (18, "Engineering"),
    (9, "Human Resources"),
    (10, "Marketing"),
    (14, "Operations"),
    (8, "IT"),
    (5, "Legal"),
    (2, "Executive"),
];

pub(crate) static CATEGORIES: [(u32, Option<&str>); 5] = [
    (60, Some("Standard")),
    (10, Some("Shared")),
    (6, Some("Kiosk")),
    (4, Some("Developer")),
    (20, None),
];

/// Values of the Entra attribute that the fleet uses as deployment ring.
pub(crate) static RINGS: [(u32, Option<&str>); 4] = [
    (5, Some("canary")),
    (15, Some("early")),
    (70, Some("broad")),
    (10, None),
];

pub(crate) static FIRST_NAMES: [&str; 24] = [
    "Anna", "Ben", "Chloé", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kenji",
    "Laura", "Marta", "Noah", "Olga", "Priya", "Quentin", "Rosa", "Sven", "Théo", "Uma", "Viktor",
    "Wendy", "Yusuf",
];

pub(crate) static LAST_NAMES: [&str; 24] = [
    "Almeida",
    "Bauer",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Hansen",
    "Ito",
    "Jansen",
    "Kumar",
    "Lefèvre",
    "Martin",
    "Nowak",
    "Olsen",
    "Petit",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Ueda",
    "Vargas",
    "Weber",
    "Young",
    "Zielińska",
];

/// Why an enrolment fails, as the monitoring page of co-management lists it.
pub(crate) static ENROLLMENT_ERRORS: [(u32, u32); 9] = [
    (30, 2149056536),
    (15, 2147549183),
    (14, 2149056555),
    (12, 2149056554),
    (8, 2149056532),
    (7, 2149056533),
    (6, 2149056514),
    (5, 3399548929),
    (3, 2149134050),
];
