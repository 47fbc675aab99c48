//! A graph's own face: what the page shows of it before anyone has written, and in which language and colours.
//!
//! In the file: `"face": {"title", "greeting", "examples", "language", "colours": {"light", "dark"}, "logo", "texts": {"de": {…}}}`,
//! all optional. `logo` names an SVG file beside the graph; `texts` repeats `title`, `greeting` and `examples` in other languages.

use super::wrong::Wrong;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const TITLE_BYTES_MAX: usize = 60;
const GREETING_BYTES_MAX: usize = 600;
const EXAMPLES_MAX: usize = 8;
const EXAMPLE_BYTES_MAX: usize = 200;
const LANGUAGES_MAX: usize = 20;
const LOGO_BYTES_MAX: usize = 16 << 10;
/// What the accent is read on: the page's sheets. Text needs this contrast, by WCAG 2.2.
const LIGHT_SHEET: Rgb = Rgb([0xff, 0xfd, 0xf9]);
const DARK_SHEET: Rgb = Rgb([0x1e, 0x1b, 0x18]);
const CONTRAST_MIN: f64 = 4.5;

/// As `/api/state` and `/api/graph/active` show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Face {
    #[serde(flatten)]
    texts: Texts,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    colours: Option<Colours>,
    /// The picture as a `data:` address.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<String>,
    /// The same texts by language.
    #[serde(rename = "texts", skip_serializing_if = "BTreeMap::is_empty")]
    by_language: BTreeMap<String, Texts>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    greeting: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    examples: Vec<String>,
}

/// The accent, as `#rrggbb`, on light and on dark pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Colours {
    light: String,
    dark: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaceFile {
    title: Option<String>,
    greeting: Option<String>,
    #[serde(default)]
    examples: Vec<String>,
    language: Option<String>,
    colours: Option<Colours>,
    pub(super) logo: Option<String>,
    #[serde(default)]
    texts: BTreeMap<String, Texts>,
}

impl Face {
    /// `logo`: the text of the file that the face names. An error is what is wrong, and what to do.
    pub(super) fn read(file: FaceFile, logo: Option<&str>) -> Result<Face, Wrong> {
        let FaceFile { title, greeting, examples, language, colours, logo: _, texts: by_language } = file;
        let texts = Texts { title, greeting, examples };
        texts.check()?;
        if by_language.len() > LANGUAGES_MAX {
            return Err(Wrong::TooMany { what: "languages of a face", most: LANGUAGES_MAX });
        }
        for tag in language.iter().chain(by_language.keys()) {
            if !is_language(tag) {
                return Err(Wrong::Face(format!("the language is `{tag}`; write a code such as `en` or `de-AT`")));
            }
        }
        by_language.values().try_for_each(Texts::check)?;
        if let Some(colours) = &colours {
            readable("light", &colours.light, LIGHT_SHEET)?;
            readable("dark", &colours.dark, DARK_SHEET)?;
        }
        let logo = logo.map(picture).transpose()?;
        Ok(Face { texts, language, colours, logo, by_language })
    }
}

impl Texts {
    fn check(&self) -> Result<(), Wrong> {
        if self.examples.len() > EXAMPLES_MAX {
            return Err(Wrong::TooMany { what: "examples", most: EXAMPLES_MAX });
        }
        let examples = self.examples.iter().map(|example| ("examples", example, EXAMPLE_BYTES_MAX));
        let others = [("title", &self.title, TITLE_BYTES_MAX), ("greeting", &self.greeting, GREETING_BYTES_MAX)];
        let others = others.into_iter().filter_map(|(field, text, most)| Some((field, text.as_ref()?, most)));
        for (field, text, most) in others.chain(examples) {
            if text.trim().is_empty() || text.len() > most {
                return Err(Wrong::Face(format!("`{field}` has {} bytes; write 1 to {most}", text.trim().len())));
            }
        }
        Ok(())
    }
}

fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn picture(svg: &str) -> Result<String, Wrong> {
    if svg.len() > LOGO_BYTES_MAX {
        return Err(Wrong::Face(format!("`logo` has {} bytes; use a file of at most {LOGO_BYTES_MAX}", svg.len())));
    }
    if !svg.contains("<svg") {
        return Err(Wrong::Face("`logo` names a file that is not SVG; use an SVG file".to_owned()));
    }
    Ok(format!("data:image/svg+xml;base64,{}", BASE64.encode(svg.as_bytes())))
}

fn readable(field: &str, colour: &str, sheet: Rgb) -> Result<(), Wrong> {
    let wrong = || Wrong::Face(format!("the colour `{field}` is `{colour}`; write it as `#rrggbb`"));
    let contrast = Rgb::parse(colour).ok_or_else(wrong)?.contrast(sheet);
    if contrast < CONTRAST_MIN {
        let darker = if field == "light" { "darker" } else { "lighter" };
        return Err(Wrong::Face(format!(
            "the colour `{field}` is `{colour}`, whose contrast with a {field} page is {contrast:.1}; choose a {darker} one ({CONTRAST_MIN} at least)"
        )));
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Rgb([u8; 3]);

impl Rgb {
    fn parse(text: &str) -> Option<Rgb> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Rgb([red, green, blue]))
    }

    /// 1 to 21, by WCAG 2.2.
    fn contrast(self, other: Rgb) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(face: Value, logo: Option<&str>) -> Result<Value, String> {
        let face = Face::read(serde_json::from_value(face).unwrap(), logo).map_err(|wrong| wrong.to_string())?;
        Ok(serde_json::to_value(face).unwrap())
    }

    #[test]
    fn a_face_is_shown_as_it_is_written() {
        let face = json!({"title": "Eras", "greeting": "Ask about bills.", "examples": ["How many?"], "language": "en",
            "colours": {"light": "#8f3b1b", "dark": "#e9a66a"}, "texts": {"de": {"greeting": "Frag nach Rechnungen."}}});
        assert_eq!(read(face.clone(), None).unwrap(), face);
        assert_eq!(read(json!({}), None).unwrap(), json!({}));
        let with_logo = read(json!({"logo": "logo.svg"}), Some("<svg/>")).unwrap();
        assert_eq!(with_logo["logo"], "data:image/svg+xml;base64,PHN2Zy8+");
    }

    #[test]
    fn what_nobody_could_read_is_refused_with_what_to_do() {
        for (face, says) in [
            (json!({"title": " "}), "`title` has 0 bytes; write 1 to 60"),
            (json!({"greeting": "x".repeat(601)}), "`greeting` has 601 bytes"),
            (json!({"examples": vec!["x"; 9]}), "too many examples; 8 at most"),
            (json!({"examples": ["x".repeat(201)]}), "`examples` has 201 bytes"),
            (json!({"language": "English"}), "write a code such as `en`"),
            (json!({"texts": {"d": {}}}), "write a code such as `en`"),
            (json!({"texts": {"de": {"title": ""}}}), "`title` has 0 bytes"),
            (json!({"colours": {"light": "red", "dark": "#e9a66a"}}), "the colour `light` is `red`; write it as `#rrggbb`"),
            (json!({"colours": {"light": "#ffcc00", "dark": "#e9a66a"}}), "whose contrast with a light page is 1.5; choose a darker one"),
            (json!({"colours": {"light": "#8f3b1b", "dark": "#8f3b1b"}}), "choose a lighter one (4.5 at least)"),
        ] {
            let wrong = read(face.clone(), None).unwrap_err();
            assert!(wrong.contains(says), "{face}: {wrong}");
        }
        assert!(read(json!({"logo": "logo.png"}), Some("\u{fffd}PNG")).unwrap_err().contains("use an SVG file"));
        assert!(read(json!({"logo": "logo.svg"}), Some(&format!("<svg>{}", "x".repeat(LOGO_BYTES_MAX)))).unwrap_err().contains("at most"));
    }
}
