//! `manifest.json`: what the file holds, from which ledger, for whom and why (`docs/evidence-file.md` section 5).

use record::canonical::{self, MAX_INTEGER};
use record::control::Numbering;
use record::facet::Facet;
use record::json::{self, Object, Value};
use sha2::{Digest, Sha256};
use tlog::Hash;

use crate::note::TYPE;
use crate::text;
use crate::zip::Member;

/// Longest text that a person gives, in bytes.
pub const MAX_TEXT: usize = 1024;

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The case it is for.
    pub case: String,
    /// Why it was made.
    pub purpose: String,
    /// When, in Unix milliseconds, by the server's clock.
    pub exported_ms: u64,
    /// Id of the token of whoever made it.
    pub exporter_id: String,
    /// Label of that token.
    pub exporter_label: String,
    /// Name and version of the program.
    pub program: String,
    /// Whose ledger.
    pub origin: String,
    /// The key that signs checkpoint and manifest.
    pub vkey: String,
    /// The ledger's random id.
    pub ledger_id: [u8; 32],
    /// Size of the checkpoint.
    pub size: u64,
    /// Root of the checkpoint.
    pub root: Hash,
    /// What was asked for.
    pub selection: Selection,
    /// Facets that were withheld, in order.
    pub withheld: Vec<Facet>,
    /// Records of the selection, counted.
    pub counts: Counts,
    /// Whose records they are, in order of source and epoch.
    pub sources: Vec<SourceCount>,
    /// Gap records in the file.
    pub gaps: Vec<u64>,
    /// Every member before the manifest, in order.
    pub members: Vec<Member>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// First index.
    pub from: u64,
    /// Index after the last.
    pub end: u64,
    /// Time of receipt from which on, if it was asked for by time.
    pub from_ms: Option<u64>,
    /// Time of receipt before which.
    pub to_ms: Option<u64>,
    /// The terms of a query; `None` for a range.
    pub query: Option<String>,
}

/// Records of a selection by kind, and how many are not whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the manifest")]
pub struct Counts {
    pub events: u64,
    pub quarantined: u64,
    pub accesses: u64,
    pub control: u64,
    pub withheld: u64,
    pub erased: u64,
}

impl Counts {
    /// Records of the selection.
    pub fn total(&self) -> u64 {
        self.events + self.quarantined + self.accesses + self.control
    }
}

/// One epoch of a source in a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceCount {
    /// Number of the source; 0 is the ledger itself.
    pub source: u32,
    /// Its epoch.
    pub epoch: u32,
    /// Who numbers; `None` for source 0.
    pub numbering: Option<Numbering>,
    /// First sequence in the selection.
    pub first: u64,
    /// Last sequence in the selection.
    pub last: u64,
    /// Records.
    pub count: u64,
}

impl Manifest {
    /// The one line that stands for it, with its newline.
    pub fn to_text(&self) -> Vec<u8> {
        let mut object = Object::new();
        object.push("type", TYPE);
        object.push("case", self.case.clone());
        object.push("purpose", self.purpose.clone());
        object.push("exported_ms", self.exported_ms);
        let exporter = [("id", self.exporter_id.clone()), ("label", self.exporter_label.clone())];
        object.push("exported_by", Object::from_iter(exporter));
        object.push("program", self.program.clone());
        object.push("origin", self.origin.clone());
        object.push("vkey", self.vkey.clone());
        object.push("ledger_id", text::hex(&self.ledger_id));
        object.push("size", self.size.to_string());
        object.push("root", self.root.to_base64());
        object.push("selection", self.selection.to_object());
        let names = self.withheld.iter().map(|facet| Value::from(facet.name()));
        object.push("withheld", Value::Array(names.collect()));
        let counts = &self.counts;
        object.push("counts", Object::from_iter(counts.named().map(|(name, count)| (name, count))));
        object.push("sources", Value::Array(self.sources.iter().map(|source| source.to_value()).collect()));
        let gaps = self.gaps.iter().map(|index| Value::from(index.to_string()));
        object.push("gaps", Value::Array(gaps.collect()));
        object.push("members", Value::Array(self.members.iter().map(member).collect()));
        let mut line = canonical::object(&object);
        line.push(b'\n');
        line
    }

    /// SHA-256 of that line: what the ledger signs, and what it has on record.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.to_text()).into()
    }

    /// Reads what [`Manifest::to_text`] writes.
    ///
    /// # Errors
    /// What is wrong: nothing else is taken, no other spelling and no other member.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let text = line.strip_suffix(b"\n").ok_or("the manifest does not end in a newline")?;
        let value = json::parse(text).map_err(|error| error.to_string())?;
        let fields = Fields(value.as_object().ok_or("the manifest is not an object")?);
        let manifest = Self::read(&fields).map_err(|name| format!("member missing or malformed: {name}"))?;
        let texts = [&manifest.case, &manifest.purpose, &manifest.exporter_id, &manifest.exporter_label];
        if texts.into_iter().chain(&manifest.selection.query).any(|text| text.len() > MAX_TEXT) {
            return Err(format!("a text is longer than {MAX_TEXT} bytes"));
        }
        match manifest.to_text() == line {
            true => Ok(manifest),
            false => Err("a member that is unknown, or spelt in another way".to_owned()),
        }
    }

    fn read(fields: &Fields<'_, '_>) -> Result<Self, &'static str> {
        if fields.text("type")? != TYPE {
            return Err("type");
        }
        let exporter = fields.object("exported_by")?;
        let withheld = fields.list("withheld")?.iter().map(|name| name.str().and_then(text::facet));
        let gaps = fields.list("gaps")?.iter().map(|index| text::decimal(index.str()?.as_bytes()));
        let sources = fields.list("sources")?.iter().map(SourceCount::read);
        let members = fields.list("members")?.iter().map(read_member);
        Ok(Self {
            case: fields.string("case")?,
            purpose: fields.string("purpose")?,
            exported_ms: fields.number("exported_ms")?,
            exporter_id: exporter.string("id")?,
            exporter_label: exporter.string("label")?,
            program: fields.string("program")?,
            origin: fields.string("origin")?,
            vkey: fields.string("vkey")?,
            ledger_id: text::unhex(fields.text("ledger_id")?.as_bytes()).ok_or("ledger_id")?,
            size: fields.decimal("size")?,
            root: Hash::from_base64(fields.text("root")?).map_err(|_| "root")?,
            selection: Selection::read(&fields.object("selection")?)?,
            withheld: withheld.collect::<Option<Vec<_>>>().filter(|list| in_order(list)).ok_or("withheld")?,
            counts: Counts::read(&fields.object("counts")?)?,
            sources: sources.collect::<Result<_, _>>()?,
            gaps: gaps.collect::<Option<_>>().ok_or("gaps")?,
            members: members.collect::<Result<_, _>>()?,
        })
    }
}

/// Whether these may be withheld: each once, in order, never `when`, and `raw` with any of them.
pub(crate) fn in_order(withheld: &[Facet]) -> bool {
    withheld.windows(2).all(|pair| (pair[0] as u8) < pair[1] as u8)
        && !withheld.contains(&Facet::When)
        && (withheld.is_empty() || withheld.contains(&Facet::Raw))
}

impl Selection {
    fn to_object(&self) -> Object<'static> {
        let mut object = Object::new();
        object.push("kind", if self.query.is_some() { "query" } else { "range" });
        object.push("from", self.from.to_string());
        object.push("end", self.end.to_string());
        for (name, ms) in [("from_ms", self.from_ms), ("to_ms", self.to_ms)] {
            if let Some(ms) = ms {
                object.push(name, ms);
            }
        }
        if let Some(query) = &self.query {
            object.push("query", query.clone());
        }
        object
    }

    fn read(fields: &Fields<'_, '_>) -> Result<Self, &'static str> {
        // `kind` follows from `query`, and is compared with all else once everything was read.
        Ok(Self {
            from: fields.decimal("from")?,
            end: fields.decimal("end")?,
            from_ms: fields.optional("from_ms", Fields::number)?,
            to_ms: fields.optional("to_ms", Fields::number)?,
            query: fields.optional("query", Fields::string)?,
        })
    }
}

impl Counts {
    /// Names and numbers, as the manifest has them.
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("events", self.events),
            ("quarantined", self.quarantined),
            ("accesses", self.accesses),
            ("control", self.control),
            ("withheld", self.withheld),
            ("erased", self.erased),
        ]
    }

    fn read(fields: &Fields<'_, '_>) -> Result<Self, &'static str> {
        Ok(Self {
            events: fields.number("events")?,
            quarantined: fields.number("quarantined")?,
            accesses: fields.number("accesses")?,
            control: fields.number("control")?,
            withheld: fields.number("withheld")?,
            erased: fields.number("erased")?,
        })
    }
}

impl SourceCount {
    fn to_value(self) -> Value<'static> {
        let mut object = Object::new();
        object.push("source", self.source);
        object.push("epoch", self.epoch);
        if let Some(numbering) = self.numbering {
            object.push("numbering", word(numbering));
        }
        object.push("first", self.first.to_string());
        object.push("last", self.last.to_string());
        object.push("count", self.count);
        Value::Object(object)
    }

    fn read(value: &Value<'_>) -> Result<Self, &'static str> {
        let fields = Fields(value.as_object().ok_or("sources")?);
        let small = |name| u32::try_from(fields.number(name)?).map_err(|_| name);
        let numbering = match fields.optional("numbering", Fields::string)?.as_deref() {
            None => None,
            Some("source") => Some(Numbering::Source),
            Some("server") => Some(Numbering::Server),
            Some(_) => return Err("numbering"),
        };
        Ok(Self {
            source: small("source")?,
            epoch: small("epoch")?,
            numbering,
            first: fields.decimal("first")?,
            last: fields.decimal("last")?,
            count: fields.number("count")?,
        })
    }
}

/// How a numbering is spelt.
pub fn word(numbering: Numbering) -> &'static str {
    match numbering {
        Numbering::Source => "source",
        Numbering::Server => "server",
    }
}

fn member(member: &Member) -> Value<'static> {
    Value::Object(Object::from_iter([
        ("name", member.name.clone()),
        ("length", member.length.to_string()),
        ("stored", member.stored.to_string()),
        ("sha256", text::hex(&member.sha256)),
    ]))
}

fn read_member(value: &Value<'_>) -> Result<Member, &'static str> {
    let fields = Fields(value.as_object().ok_or("members")?);
    Ok(Member {
        name: fields.string("name")?,
        length: fields.decimal("length")?,
        stored: fields.decimal("stored")?,
        sha256: text::unhex(fields.text("sha256")?.as_bytes()).ok_or("sha256")?,
    })
}

/// An object being read; errors are the name of the member at fault.
pub(crate) struct Fields<'v, 'a>(pub &'v Object<'a>);

impl<'v, 'a> Fields<'v, 'a> {
    pub(crate) fn text(&self, name: &'static str) -> Result<&'v str, &'static str> {
        self.0.get(name).and_then(Value::str).ok_or(name)
    }

    pub(crate) fn string(&self, name: &'static str) -> Result<String, &'static str> {
        self.text(name).map(str::to_owned)
    }

    pub(crate) fn number(&self, name: &'static str) -> Result<u64, &'static str> {
        self.0.get(name).and_then(Value::as_u64).filter(|number| *number <= MAX_INTEGER).ok_or(name)
    }

    pub(crate) fn decimal(&self, name: &'static str) -> Result<u64, &'static str> {
        text::decimal(self.text(name)?.as_bytes()).ok_or(name)
    }

    pub(crate) fn list(&self, name: &'static str) -> Result<&'v [Value<'a>], &'static str> {
        self.0.get(name).and_then(Value::as_array).ok_or(name)
    }

    pub(crate) fn hashes(&self, name: &'static str) -> Result<Vec<Hash>, &'static str> {
        let hash = |value: &Value<'_>| Hash::from_base64(value.str()?).ok();
        self.list(name)?.iter().map(hash).collect::<Option<_>>().ok_or(name)
    }

    pub(crate) fn object(&self, name: &'static str) -> Result<Fields<'v, 'a>, &'static str> {
        self.0.get(name).and_then(Value::as_object).map(Fields).ok_or(name)
    }

    pub(crate) fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, &'static str> {
        self.0.get(name).map(|_| read(self, name)).transpose()
    }
}
