//! Pages, and the links from one to the next.
//!
//! A link says where its page begins. When people changed the estate between two pages, a page
//! begins one entry early: an entry may then come twice, none is lost.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::graph::Request;
use crate::http::Call;
use crate::setup::Behaviour;
use crate::world::World;

/// The most that a page holds, whatever `$top` says.
const LARGEST: u32 = 999;

/// Rows per page.
///
/// # Errors
///
/// What is wrong with `$top`.
pub(super) fn size(call: &Call, behaviour: &Behaviour) -> Result<usize, &'static str> {
    let Some(top) = call.option("$top") else {
        return Ok(behaviour.graph_page_size.clamp(1, LARGEST) as usize);
    };
    match top.parse::<u32>() {
        Ok(top @ 1..) => Ok(top.min(LARGEST) as usize),
        _ => Err("Invalid value for query option '$top'."),
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    place: usize,
    acts: usize,
    /// The page before this one was empty on a whim.
    after_whim: bool,
    options: u64,
    first: bool,
}

/// What the other options of the address say; a link that was taken apart does not fit them.
fn fingerprint(call: &Call, world: &World) -> u64 {
    call.query
        .iter()
        .filter(|(name, _)| name != "$skiptoken")
        .fold(world.chance.bits(&call.path, 0), |hash, (name, value)| {
            hash.rotate_left(5) ^ world.chance.bits(name, 1) ^ world.chance.bits(value, 2)
        })
}

impl Cursor {
    /// The page that an address asks for.
    ///
    /// # Errors
    ///
    /// What is wrong with its `$skiptoken`.
    pub(super) fn read(call: &Call, world: &World) -> Result<Self, &'static str> {
        let options = fingerprint(call, world);
        let Some(token) = call.option("$skiptoken") else {
            return Ok(Self {
                place: 0,
                acts: world.acts,
                after_whim: false,
                options,
                first: true,
            });
        };
        let cursor = Self::decode(token).ok_or("Invalid $skiptoken.")?;
        if cursor.options != options {
            return Err("The $skiptoken does not belong to the other query options.");
        }
        Ok(cursor)
    }

    fn decode(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut parts = text.split('.');
        let mut number = || parts.next()?.parse::<u64>().ok();
        Some(Self {
            place: usize::try_from(number()?).ok()?,
            acts: usize::try_from(number()?).ok()?,
            after_whim: number()? == 1,
            options: number()?,
            first: false,
        })
    }

    pub(super) fn is_first(self) -> bool {
        self.first
    }

    /// Fills a page by asking `put` for each place, and says where the next one begins.
    pub(super) fn turn(
        self,
        request: &Request<'_>,
        places: usize,
        size: usize,
        mut put: impl FnMut(usize) -> Option<()>,
    ) -> Option<Self> {
        let world = request.context.world;
        let changed = self.acts != world.acts;
        let mut place = if changed {
            self.place.saturating_sub(1)
        } else {
            self.place
        };
        let next = |place, after_whim| Self {
            place,
            acts: world.acts,
            after_whim,
            options: self.options,
            first: false,
        };
        // One page in sixteen, but never the first nor two in a row.
        let whim = request.context.behaviour.empty_pages
            && !self.first
            && !self.after_whim
            && world.chance.below(&request.call.path, place, 16) == 0;
        if whim {
            return Some(next(place, true));
        }
        let mut filled = 0;
        while place < places && filled < size {
            filled += usize::from(put(place).is_some());
            place += 1;
        }
        (place < places).then(|| next(place, false))
    }

    /// The address of the page: absolute, with the options of the request it continues.
    pub(super) fn link(self, request: &Request<'_>) -> String {
        let token = format!(
            "{}.{}.{}.{}",
            self.place,
            self.acts,
            u8::from(self.after_whim),
            self.options
        );
        let options = request.call.options_without(&["$skiptoken"]);
        format!(
            "{}{}?{options}$skiptoken={}",
            request.endpoint,
            request.call.path,
            URL_SAFE_NO_PAD.encode(token)
        )
    }
}
