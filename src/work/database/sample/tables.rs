//! The tables of the sample, in the order in which they need each other.

use std::fmt;

pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) columns: &'static [&'static str],
    /// Columns that hold another table's `id`.
    pub(super) references: &'static [(&'static str, &'static str)],
}

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "kunden",
        about: "Hausverwaltungen, Genossenschaften und Eigentümer, für die abgerechnet wird",
        columns: &[
            "id int NOT NULL PRIMARY KEY",
            "kundennummer varchar(12) NOT NULL UNIQUE",
            "name varchar(80) NOT NULL",
            "art varchar(20) NOT NULL",
            "ort varchar(40) NOT NULL",
            "email varchar(80)",
            "kunde_seit date NOT NULL",
        ],
        references: &[],
    },
    Table {
        name: "objekte",
        about: "Gebäude eines Kunden",
        columns: &[
            "id int NOT NULL PRIMARY KEY",
            "kunde_id int NOT NULL",
            "bezeichnung varchar(60) NOT NULL",
            "strasse varchar(60) NOT NULL",
            "plz char(5) NOT NULL",
            "ort varchar(40) NOT NULL",
            "baujahr int NOT NULL",
            "heizungsart varchar(20) NOT NULL",
        ],
        references: &[("kunde_id", "kunden")],
    },
    Table {
        name: "nutzeinheiten",
        about: "Wohnungen und Läden eines Gebäudes; leer seit leerstand_seit",
        columns: &[
            "id int NOT NULL PRIMARY KEY",
            "objekt_id int NOT NULL",
            "bezeichnung varchar(20) NOT NULL",
            "lage varchar(20) NOT NULL",
            "flaeche_m2 decimal(7,2) NOT NULL",
            "nutzer varchar(60)",
            "leerstand_seit date",
        ],
        references: &[("objekt_id", "objekte")],
    },
    Table {
        name: "geraete",
        about: "Zähler; ein getauschter hat ausgebaut_am, der neue ersetzt_id",
        columns: &[
            "id int NOT NULL PRIMARY KEY",
            "nutzeinheit_id int NOT NULL",
            "geraetenummer varchar(16) NOT NULL UNIQUE",
            "art varchar(20) NOT NULL",
            "einheit varchar(8) NOT NULL",
            "eingebaut_am date NOT NULL",
            "ausgebaut_am date",
            "ersetzt_id int",
        ],
        references: &[("nutzeinheit_id", "nutzeinheiten"), ("ersetzt_id", "geraete")],
    },
    Table {
        name: "verbraeuche",
        about: "Monatliche Ablesungen; eine fehlende hat keinen Stand und keinen Verbrauch",
        columns: &[
            "id int NOT NULL PRIMARY KEY",
            "geraet_id int NOT NULL",
            "monat date NOT NULL",
            "zaehlerstand decimal(12,3)",
            "verbrauch decimal(10,3)",
            "ablesung varchar(12) NOT NULL",
        ],
        references: &[("geraet_id", "geraete")],
    },
    Table {
        name: "rechnungen",
        about: "Jahresabrechnung einer Nutzeinheit in Euro",
        columns: &[
            "id int NOT NULL PRIMARY KEY",
            "nutzeinheit_id int NOT NULL",
            "rechnungsnummer varchar(16) NOT NULL UNIQUE",
            "jahr int NOT NULL",
            "ausgestellt_am date NOT NULL",
            "betrag decimal(10,2) NOT NULL",
            "vorauszahlung decimal(10,2) NOT NULL",
            "status varchar(12) NOT NULL",
        ],
        references: &[("nutzeinheit_id", "nutzeinheiten")],
    },
];

/// One value, written as SQL.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Null,
    Number(i64),
    Text(String),
    /// Thousandths.
    Milli(i64),
    /// Hundredths.
    Cent(i64),
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("NULL"),
            Cell::Number(number) => write!(f, "{number}"),
            Cell::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Cell::Milli(milli) => write!(f, "{}.{:03}", milli / 1000, milli % 1000),
            Cell::Cent(cent) => write!(f, "{}.{:02}", cent / 100, cent % 100),
        }
    }
}
