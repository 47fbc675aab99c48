//! Who lives where and uses how much: the rows of the sample, from a seed.

use super::tables::Cell;

const CITIES: &[(&str, &str)] = &[
    ("90402", "Nürnberg"),
    ("80331", "München"),
    ("50667", "Köln"),
    ("40213", "Düsseldorf"),
    ("70173", "Stuttgart"),
    ("04109", "Leipzig"),
    ("90762", "Fürth"),
    ("97070", "Würzburg"),
];
const CUSTOMERS: &[(&str, &str)] = &[
    ("Hausverwaltung Müller GmbH", "Verwaltung"),
    ("Wohnbau Frankenland eG", "Genossenschaft"),
    ("Immobilien Schäfer & Söhne", "Verwaltung"),
    ("Baugenossenschaft Morgenröte eG", "Genossenschaft"),
    ("Köhler Grundbesitz KG", "Verwaltung"),
    ("Eigentümergemeinschaft Gartenstraße", "Eigentümer"),
    ("Städtische Wohnungen Fürth", "Kommune"),
    ("Bärbel Jäger", "Eigentümer"),
    ("Hausverwaltung O'Neill", "Verwaltung"),
    ("Siedlungswerk Süd eG", "Genossenschaft"),
    ("Verwaltung Großmann", "Verwaltung"),
    ("Weiß Immobilien GmbH", "Verwaltung"),
    ("Stiftung Altes Rathaus", "Kommune"),
    ("Familie Öztürk", "Eigentümer"),
    ("Rheinblick Wohnen AG", "Verwaltung"),
    ("Krüger Hausmanagement", "Verwaltung"),
];
const STREETS: &[&str] = &[
    "Gartenstraße",
    "Lindenweg",
    "Am Bächlein",
    "Königsallee",
    "Schillerplatz",
    "Mühlgasse",
    "Bahnhofstraße",
    "Rosenweg",
    "An der Höhe",
    "Ludwigstraße",
];
const NAMES: &[&str] = &[
    "Schmidt",
    "Yılmaz",
    "Bauer",
    "Großkopf",
    "Nowak",
    "Hübner",
    "Jansen",
    "Lévy",
    "Vogel",
    "Köster",
    "Petrović",
    "Franke",
    "Böhm",
    "Rossi",
    "Lang",
    "Zöller",
];
const HEATING: &[&str] = &["Gas", "Fernwärme", "Wärmepumpe", "Öl"];
/// Share of a year's heat that each month takes, in thousandths.
const SEASON: &[i64] = &[172, 150, 128, 84, 38, 14, 9, 10, 30, 82, 125, 158];
const YEARS: std::ops::RangeInclusive<i64> = 2022..=2024;

const UNITS: i64 = 96;
const BUILDINGS: i64 = 24;
/// This flat stands empty from the middle of the second year.
const VACANT: i64 = 41;
/// This unit's heat meter was swapped in May of the second year.
const SWAPPED: i64 = 17;
/// This unit's heat meter was read with a digit too many, in February of the last year.
const WRONG: i64 = 63;

/// splitmix64
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((bits ^ (bits >> 31)) % bound.unsigned_abs()).expect("it is below the bound")
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(i64::try_from(of.len()).expect("a short list"))).expect("not negative")]
    }
}

type Rows = Vec<Vec<Cell>>;

/// Rows for each of the tables, in their order.
pub(super) fn make(seed: u64) -> [Rows; 6] {
    let mut dice = Dice(seed);
    let customers = customers(&mut dice);
    let buildings = buildings(&mut dice);
    let (units, floors) = units(&mut dice);
    let mut devices = Rows::new();
    let mut readings = Rows::new();
    let mut bills = Rows::new();
    for unit in 1..=UNITS {
        let used = meters(&mut dice, unit, floors[unit as usize - 1], &mut devices, &mut readings);
        for (year, heat) in YEARS.zip(used) {
            bill(&mut dice, unit, year, heat, &mut bills);
        }
    }
    [customers, buildings, units, devices, readings, bills]
}

fn customers(dice: &mut Dice) -> Rows {
    let row = |(place, (name, kind)): (usize, &(&str, &str))| {
        let id = place as i64 + 1;
        let (_, city) = dice.one(CITIES);
        let email = if id % 7 == 0 { Cell::Null } else { Cell::text(format!("kontakt{id}@kunde.example")) };
        let since = date(2005 + dice.below(16), 1 + dice.below(12), 1);
        vec![
            Cell::Number(id),
            Cell::text(format!("K-{:05}", 10_000 + id * 37)),
            Cell::text(*name),
            Cell::text(*kind),
            Cell::text(city),
            email,
            since,
        ]
    };
    CUSTOMERS.iter().enumerate().map(row).collect()
}

fn buildings(dice: &mut Dice) -> Rows {
    let owners = CUSTOMERS.len() as i64;
    let row = |id: i64| {
        // The first customers have several, the last one none yet.
        let owner = if id < owners { id } else { 1 + dice.below(5) };
        let (code, city) = dice.one(CITIES);
        let street = format!("{} {}", dice.one(STREETS), 1 + dice.below(90));
        let built = 1905 + dice.below(115);
        let heating = dice.one(HEATING);
        vec![
            Cell::Number(id),
            Cell::Number(owner),
            Cell::text(format!("Haus {id:02}")),
            Cell::text(street),
            Cell::text(code),
            Cell::text(city),
            Cell::Number(built),
            Cell::text(heating),
        ]
    };
    (1..=BUILDINGS).map(row).collect()
}

/// The units, and the floor space of each in hundredths of a square metre.
fn units(dice: &mut Dice) -> (Rows, Vec<i64>) {
    let mut floors = Vec::new();
    let row = |id: i64| {
        let floor = 3_200 + dice.below(9_000);
        floors.push(floor);
        let is_vacant = id == VACANT;
        let person = format!("{}. {}", dice.one(&["A", "B", "E", "J", "K", "M", "S", "Ü"]), dice.one(NAMES));
        let place = dice.one(&["EG", "1. OG", "2. OG", "3. OG", "DG"]);
        vec![
            Cell::Number(id),
            Cell::Number((id - 1) % BUILDINGS + 1),
            Cell::text(format!("NE {:02}", (id - 1) / BUILDINGS + 1)),
            Cell::text(place),
            Cell::Cent(floor),
            if is_vacant { Cell::Null } else { Cell::text(person) },
            if is_vacant { date(2023, 7, 1) } else { Cell::Null },
        ]
    };
    let rows = (1..=UNITS).map(row).collect();
    (rows, floors)
}

/// A unit's meters with their readings; the heat of each year, in kWh.
fn meters(dice: &mut Dice, unit: i64, floor: i64, devices: &mut Rows, readings: &mut Rows) -> Vec<i64> {
    let installed = date(2019, 1 + unit % 12, 15);
    let heat = device(devices, unit, "Wärmezähler", "kWh", installed.clone(), Cell::Null);
    let water = (unit % 2 == 0).then(|| device(devices, unit, "Warmwasserzähler", "m³", installed, Cell::Null));
    let mut heat = Meter { id: heat, stand: 10_000_000 + dice.below(40_000_000) };
    let mut water = water.map(|id| Meter { id, stand: 20_000 + dice.below(90_000) });
    let mut used = Vec::new();
    for year in YEARS {
        let a_year = floor * (900 + dice.below(500)) / 100 * 10;
        let mut sum = 0;
        for (month, share) in (1..=12).zip(SEASON) {
            let is_empty = unit == VACANT && (year, month) >= (2023, 7);
            if unit == SWAPPED && (year, month) == (2023, 5) {
                if let Some(old) = devices.iter_mut().find(|row| matches!(row[0], Cell::Number(id) if id == heat.id)) {
                    old[6] = date(2023, 5, 10);
                }
                let id = device(devices, unit, "Wärmezähler", "kWh", date(2023, 5, 10), Cell::Number(heat.id));
                heat = Meter { id, stand: 0 };
            }
            let heated = if is_empty { 0 } else { a_year * share / 1000 * (90 + dice.below(21)) / 100 };
            let is_wrong = unit == WRONG && (year, month) == (2024, 2);
            heat.read(dice, readings, (year, month), if is_wrong { heated * 10 } else { heated });
            sum += heated;
            if let Some(water) = &mut water {
                let drawn = if is_empty { 0 } else { 1_500 + dice.below(4_500) };
                water.read(dice, readings, (year, month), drawn);
            }
        }
        used.push(sum / 1000);
    }
    used
}

struct Meter {
    id: i64,
    /// Thousandths.
    stand: i64,
}

impl Meter {
    fn read(&mut self, dice: &mut Dice, readings: &mut Rows, (year, month): (i64, i64), used: i64) {
        self.stand += used;
        let id = Cell::Number(readings.len() as i64 + 1);
        let (stand, used, how) = match dice.below(100) {
            0 => (Cell::Null, Cell::Null, "fehlt"),
            1..=3 => (Cell::Milli(self.stand), Cell::Milli(used), "geschätzt"),
            4..=12 => (Cell::Milli(self.stand), Cell::Milli(used), "manuell"),
            _ => (Cell::Milli(self.stand), Cell::Milli(used), "funk"),
        };
        readings.push(vec![id, Cell::Number(self.id), date(year, month, 1), stand, used, Cell::text(how)]);
    }
}

fn device(devices: &mut Rows, unit: i64, kind: &str, of: &str, since: Cell, replaces: Cell) -> i64 {
    let id = devices.len() as i64 + 1;
    let number = format!("G{:02}-{:06}", unit % 90 + 10, 100_000 + id * 7919 % 900_000);
    devices.push(vec![
        Cell::Number(id),
        Cell::Number(unit),
        Cell::text(number),
        Cell::text(kind),
        Cell::text(of),
        since,
        Cell::Null,
        replaces,
    ]);
    id
}

fn bill(dice: &mut Dice, unit: i64, year: i64, heat: i64, bills: &mut Rows) {
    let price = [11, 16, 14][usize::try_from(year - YEARS.start()).expect("one of the years")];
    let amount = heat * price + 14_500 + dice.below(6_000);
    let paid = amount * (80 + dice.below(41)) / 100 / 1_200 * 1_200;
    let status = match (year, dice.below(20)) {
        (2024, 0..=5) => "offen",
        (2024, 6) | (_, 0) => "gemahnt",
        _ => "bezahlt",
    };
    let id = bills.len() as i64 + 1;
    bills.push(vec![
        Cell::Number(id),
        Cell::Number(unit),
        Cell::text(format!("R{year}-{unit:04}")),
        Cell::Number(year),
        date(year + 1, 3 + dice.below(4), 1 + dice.below(28)),
        Cell::Cent(amount),
        Cell::Cent(paid),
        Cell::text(status),
    ]);
}

fn date(year: i64, month: i64, day: i64) -> Cell {
    Cell::text(format!("{year:04}-{month:02}-{day:02}"))
}
