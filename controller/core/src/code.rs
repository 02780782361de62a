//! Every mistake that a user can make or meet, by a stable number.
//!
//! `DIA1xxx` is found in a repository, `DIA2xxx` at run time. A number is never given to another
//! meaning, and each has a page in `docs/errors`.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::finding::Severity;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal $severity:ident $title:literal;)+) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// Every code, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The number, such as 1001.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)+ }
            }

            /// What the code stands for, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// Whether it stops what was asked for.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }
        }
    };
}

codes! {
    // Files and YAML.
    NotUtf8 = 1001 Error "a file is not UTF-8";
    FileTooLarge = 1002 Error "a file is larger than a repository may hold";
    Syntax = 1003 Error "a file is not YAML";
    NestedTooDeeply = 1004 Error "a document is nested too deeply";
    TooManyAliases = 1005 Error "aliases make a document larger than it may be";
    DuplicateKey = 1006 Error "a key stands twice in a mapping";
    LinkOutOfTree = 1007 Error "a symbolic link leads out of the tree or nowhere";
    TooManyDocuments = 1008 Error "a file has more documents or values than it may have";

    // The shape of one document.
    NotAMapping = 1101 Error "a document is not a mapping";
    NoKind = 1102 Error "a document has no apiVersion or no kind";
    UnknownKind = 1103 Error "a kind does not exist";
    UnknownVersion = 1104 Error "an API version does not exist";
    KindNotForGit = 1105 Error "a kind does not belong in a repository";
    UnknownField = 1106 Error "a field does not exist";
    MissingField = 1107 Error "a required field is missing";
    WrongType = 1108 Error "a value has the wrong type";
    NeedsQuotes = 1109 Error "a plain value would be read as something other than text";
    InvalidName = 1110 Error "a name is not a DNS-1123 name";
    UnknownValue = 1111 Error "a value is none of those allowed";
    InvalidFormat = 1112 Error "a value does not have the form it must have";
    OutOfRange = 1113 Error "a value lies outside its range";

    // What one resource says.
    EmptyGroup = 1201 Error "a group selects nobody";
    UnknownAttribute = 1202 Error "a selector key does not exist";
    OperatorNotForKey = 1203 Error "an operator cannot be used with this key";
    WrongNumberOfValues = 1204 Error "an operator has too many or too few values";
    PassingFact = 1205 Error "a fact that comes and goes cannot select";
    PilotCollectionAsSelector = 1206 Error "a group selects by a pilot collection";
    WorkloadNotAssignable = 1207 Error "a workload cannot be assigned";
    PilotCollectionMissing = 1208 Error "a pilot slider has no pilot collection";
    PilotCollectionRefused = 1209 Error "a slider that is not a pilot names a pilot collection";
    PilotCollectionTwice = 1210 Error "a collection stands in a policy twice";
    EndpointProtectionBehind = 1211 Error "the EndpointProtection slider stands behind DeviceConfiguration's";
    MinimumOsTooLow = 1212 Error "the minimum OS version is below what co-management needs";
    StepsNotIncreasing = 1213 Error "the steps of a rollout do not increase";
    AdmitWhenNotForAuthority = 1214 Error "admitWhen is only for assignments to Intune";
    InvalidSpan = 1215 Error "a span of time ends before it begins";
    InsecureEndpoint = 1216 Error "an endpoint is not https";
    PilotGroupNeeded = 1217 Error "pilot enrolment has no group or no collection";
    SourceUrl = 1218 Error "the URL of a repository is none that can be fetched";
    OneReference = 1219 Error "a source follows no revision, or more than one";
    RequiresForm = 1220 Error "a requirement has none of its forms";

    // Resources together.
    DuplicateName = 1301 Error "two resources have the same name";
    UnknownFleet = 1302 Error "a fleet does not exist";
    UnknownGroup = 1303 Error "a group does not exist";
    GroupCycle = 1304 Error "groups include each other in a circle";
    Contradiction = 1305 Error "two assignments contradict each other";
    EndpointProtectionContradiction = 1306 Error "EndpointProtection is assigned against DeviceConfiguration";
    NamespaceDiffers = 1307 Error "a resource is not in its fleet's namespace";
    SecondPolicy = 1308 Error "a fleet has two co-management policies";
    NoFleet = 1309 Error "a repository has no fleet";
    OtherFleet = 1310 Error "a resource refers to one of another fleet";

    // Warnings.
    KindNotBuilt = 1401 Warning "a kind is not carried out yet";
    NoEffect = 1402 Warning "an assignment has no effect";
    FrozenByRequires = 1403 Warning "an assignment is frozen by what it requires";
    FolderLink = 1404 Warning "a symbolic link to a folder is not followed";

    // Run time: the repository and the files given.
    RepositoryNotReadable = 2001 Error "a repository cannot be read";
    RevisionNotFound = 2002 Error "a revision does not exist";
    PathNotFound = 2003 Error "a path does not exist in a revision";
    FleetNotChosen = 2004 Error "a fleet must be chosen";
    InventoryNotReadable = 2005 Error "an inventory file cannot be read";
    InventoryLine = 2006 Error "a line of an inventory file is no device";
    InventoryDuplicate = 2007 Error "an inventory file has a device twice";
    DeviceNotFound = 2008 Error "no device, or more than one, answers to a name";
    StateNotUsable = 2009 Error "a state file cannot be used";
    SecretMissing = 2010 Error "a credential is missing";
    NothingWaiting = 2011 Error "no plan waits under a digest";
    InvalidArgument = 2012 Error "an argument cannot be used";
    SecretNotUsable = 2013 Error "a credential cannot be used";
    EndpointNotAllowed = 2014 Error "a fleet names an address that is not allowed";

    // Run time: the estate.
    EstateUnreachable = 2101 Error "a service cannot be reached";
    EstateRefused = 2102 Error "a service refused the credentials";
    EstateForbidden = 2103 Error "the credentials lack a permission";
    EstateThrottled = 2104 Error "a service asks to wait";
    EstateAnswer = 2105 Error "a service gave an answer that cannot be used";
    EstateTrust = 2106 Error "a service's certificate is not trusted";
    CollectionNotUsable = 2107 Error "a pilot collection cannot be written to";
    ClaimedByAnother = 2108 Error "another installation holds the fleet";
    InventoryShrunk = 2109 Error "an inventory lost more devices than it may";
    NotConverged = 2110 Error "the time allowed ended before the fleet converged";
    AccountRefused = 2111 Error "an account or its password was refused";
    PasswordExpired = 2112 Error "the password of an account has expired";
    AccountLocked = 2113 Error "an account is locked or disabled";
    ClockSkew = 2114 Error "clocks differ too much to sign in";
    NoSignIn = 2115 Error "a service offers no way to sign in that can be used";
    CertificateNotUsable = 2116 Error "a client certificate cannot be used";
    CredentialExpires = 2117 Warning "a credential expires soon";
    RequirementNotReady = 2118 Warning "what an assignment requires is not ready";

    // Run time: repositories on other machines.
    GitUnreachable = 2201 Error "a git server cannot be reached";
    GitRefused = 2202 Error "a git server refused the credentials";
    GitForbidden = 2203 Error "the credentials may not read a repository";
    GitNotFound = 2204 Error "a git server has no such repository";
    GitThrottled = 2205 Error "a git server asks to wait";
    GitAnswer = 2206 Error "a git server gave an answer that cannot be used";
    GitTrust = 2207 Error "a git server's certificate is not trusted";
    GitHostKey = 2208 Error "a git server's host key is not the known one";
    GitTooLarge = 2209 Error "a repository is larger than it may be";
    GitTooSlow = 2210 Error "a fetch took longer than it may";
    GitAddress = 2211 Error "the address of a repository cannot be used";
    GitCredentials = 2212 Error "credentials for a repository cannot be used";
    MirrorNotUsable = 2213 Error "the mirror of a repository cannot be used";
    FetchStopped = 2214 Error "a fetch ended without an answer";

    // Run time: who signed a revision.
    NotSigned = 2231 Error "a revision is not signed";
    SignerUnknown = 2232 Error "a revision is signed with a key that is not trusted";
    SignerExpired = 2233 Error "a revision is signed with a key that has expired";
    SignerRevoked = 2234 Error "a revision is signed with a key that was revoked";
    SignatureWrong = 2235 Error "a signature does not fit what it signs";
    SignatureUnreadable = 2236 Error "a signature cannot be read";
    TrustedKeysNotUsable = 2237 Error "the keys to verify revisions with cannot be used";

    // Run time: a cluster.
    ClusterNotUsable = 2301 Error "a cluster cannot be used";
    NotHolder = 2302 Error "a replica does not hold what it would write to";
    ReadRefused = 2303 Error "a question about a fleet is refused";
    NoAnswerYet = 2304 Error "a question about a fleet has no answer yet";
    ControllerNotFound = 2305 Error "the controller of a cluster cannot be asked";
    OtherNamespace = 2311 Error "a source has a resource for another namespace";
    ApplyForbidden = 2312 Error "a service account may not apply what a source has";
    ApplyRefused = 2313 Error "the API server does not take what a source has";
    HeldByOthers = 2314 Warning "others hold a part of what a source has";
    InventoryFull = 2315 Warning "a source has more resources than are kept account of";

    // Run time: Diarchy itself.
    Internal = 2901 Error "something failed that should not have";
}

impl Code {
    /// The code with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DIA{:04}", self.number())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_ascending() {
        assert!(Code::ALL.is_sorted_by_key(|code| code.number()));
        assert!(
            Code::ALL
                .windows(2)
                .all(|pair| pair[0].number() != pair[1].number())
        );
    }

    #[test]
    fn a_code_reads_as_users_search_for_it() {
        assert_eq!(Code::NotUtf8.to_string(), "DIA1001");
        assert_eq!(Code::from_number(1001), Some(Code::NotUtf8));
    }
}
