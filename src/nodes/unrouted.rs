//! What the user reads when nobody could be found to answer, or nobody knew how: a sentence of our own, because a model would
//! guess.

use super::{Flow, Found, View, slots};
use crate::contract::Verdict;

/// By language, as ISO 639-1 names it; the first is for every other one.
const SENTENCES: &[(&str, &str)] = &[
    ("en", "I could not work out who can answer this question, and I would rather not guess. Please try again, or put it in other words."),
    (
        "de",
        "Ich konnte nicht herausfinden, wer diese Frage beantworten kann, und raten möchte ich nicht. Bitte versuche es noch einmal oder formuliere die Frage anders.",
    ),
    (
        "es",
        "No he podido determinar quién puede responder a esta pregunta, y no quiero adivinar. Inténtalo de nuevo o formúlala de otra manera.",
    ),
    ("fr", "Je n'ai pas réussi à déterminer qui peut répondre à cette question, et je préfère ne pas deviner. Réessaie ou reformule-la."),
    (
        "it",
        "Non sono riuscito a capire chi possa rispondere a questa domanda, e non voglio tirare a indovinare. Riprova o formulala in un altro modo.",
    ),
    ("nl", "Ik kon niet bepalen wie deze vraag kan beantwoorden, en ik wil niet gokken. Probeer het opnieuw of stel de vraag anders."),
    (
        "pt",
        "Não consegui determinar quem pode responder a esta pergunta, e não quero adivinhar. Tente de novo ou formule-a de outra maneira.",
    ),
];

/// The same where an expert was found, but made no plan.
const UNPLANNED: &[(&str, &str)] = &[
    ("en", "I could not plan how to answer this question, and I would rather not guess. Please try again, or put it in other words."),
    (
        "de",
        "Ich konnte nicht planen, wie sich diese Frage beantworten lässt, und raten möchte ich nicht. Bitte versuche es noch einmal oder formuliere die Frage anders.",
    ),
    ("es", "No he podido planificar cómo responder a esta pregunta, y no quiero adivinar. Inténtalo de nuevo o formúlala de otra manera."),
    ("fr", "Je n'ai pas réussi à planifier la réponse à cette question, et je préfère ne pas deviner. Réessaie ou reformule-la."),
    (
        "it",
        "Non sono riuscito a pianificare come rispondere a questa domanda, e non voglio tirare a indovinare. Riprova o formulala in un altro modo.",
    ),
    ("nl", "Ik kon niet plannen hoe ik deze vraag beantwoord, en ik wil niet gokken. Probeer het opnieuw of stel de vraag anders."),
    ("pt", "Não consegui planear como responder a esta pergunta, e não quero adivinhar. Tente de novo ou formule-a de outra maneira."),
];

/// What needs an approval was declined.
const DECLINED: &[(&str, &str)] = &[
    ("en", "That needs an approval, and it was declined, so I did not do it. I have nothing else to answer from."),
    ("de", "Dafür braucht es eine Freigabe, und sie wurde abgelehnt. Ich habe es deshalb nicht getan und kann sonst nichts dazu sagen."),
    (
        "es",
        "Para eso hace falta una aprobación y ha sido rechazada, así que no lo he hecho. No tengo nada más en lo que basar una respuesta.",
    ),
    ("fr", "Cela demande une approbation, et elle a été refusée : je ne l'ai donc pas fait. Je n'ai rien d'autre pour répondre."),
    ("it", "Serve un'approvazione, ed è stata rifiutata, quindi non l'ho fatto. Non ho altro su cui basare una risposta."),
    ("nl", "Daarvoor is goedkeuring nodig en die is geweigerd, dus ik heb het niet gedaan. Ik heb niets anders om mee te antwoorden."),
    ("pt", "Isso precisa de uma aprovação, que foi recusada, por isso não o fiz. Não tenho mais nada em que basear uma resposta."),
];

/// The same where nobody answered in time.
const EXPIRED: &[(&str, &str)] = &[
    ("en", "That needs an approval, and nobody gave it in time, so I did not do it. Please ask again."),
    (
        "de",
        "Dafür braucht es eine Freigabe, und niemand hat sie rechtzeitig erteilt. Ich habe es deshalb nicht getan. Bitte frag noch einmal.",
    ),
    ("es", "Para eso hace falta una aprobación y nadie la dio a tiempo, así que no lo he hecho. Pregunta de nuevo."),
    ("fr", "Cela demande une approbation, et personne ne l'a donnée à temps : je ne l'ai donc pas fait. Repose ta question."),
    ("it", "Serve un'approvazione, e nessuno l'ha data in tempo, quindi non l'ho fatto. Chiedi di nuovo."),
    ("nl", "Daarvoor is goedkeuring nodig en niemand gaf die op tijd, dus ik heb het niet gedaan. Vraag het opnieuw."),
    ("pt", "Isso precisa de uma aprovação, e ninguém a deu a tempo, por isso não o fiz. Pergunte de novo."),
];

/// Goes where the answer is said, with the sentence that what it needs was not approved.
pub(super) fn unapproved(view: &View<'_>, route: &'static str, verdict: Verdict, found: Found) -> Flow {
    let sentences = if verdict == Verdict::Expired { EXPIRED } else { DECLINED };
    let reply = Some(sentence(sentences, slots::language(view)).to_owned());
    Flow::Go(route.into(), Box::new(Found { reply, ..found }))
}

/// Goes where the answer is said, with the sentence that nobody was found for the answer.
pub(super) fn go(view: &View<'_>, route: &'static str) -> Flow {
    say(view, route, SENTENCES)
}

/// The same with the sentence that an expert made no plan.
pub(super) fn unplanned(view: &View<'_>, route: &'static str) -> Flow {
    say(view, route, UNPLANNED)
}

fn say(view: &View<'_>, route: &'static str, sentences: &[(&str, &'static str)]) -> Flow {
    let reply = Some(sentence(sentences, slots::language(view)).to_owned());
    Flow::Go(route.into(), Box::new(Found { reply, ..Found::default() }))
}

fn sentence(sentences: &[(&str, &'static str)], language: &str) -> &'static str {
    let code = language.split(['-', '_']).next().unwrap_or(language);
    let known = sentences.iter().find(|(known, _)| known.eq_ignore_ascii_case(code.trim()));
    known.unwrap_or(&sentences[0]).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_is_in_the_language_that_is_known_and_else_in_english() {
        for (language, begins) in
            [("en", "I could"), ("de", "Ich konnte"), ("de-CH", "Ich konnte"), ("DE_at", "Ich konnte"), ("", "I could"), ("tlh", "I could")]
        {
            for sentences in [SENTENCES, UNPLANNED] {
                assert!(sentence(sentences, language).starts_with(begins), "{language}");
            }
        }
        let languages = |sentences: &[(&'static str, &str)]| sentences.iter().map(|(language, _)| *language).collect::<Vec<_>>();
        for others in [UNPLANNED, DECLINED, EXPIRED] {
            assert_eq!(languages(SENTENCES), languages(others));
        }
    }
}
