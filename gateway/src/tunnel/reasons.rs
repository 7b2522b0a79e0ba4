//! Why a session ended, in a sentence for the person who reads this machine's log: what
//! it means and, where a person is needed, what to do.

use fournil_protocol::close;

/// The sentence of a close code.
pub(crate) const fn sentence(code: u16) -> &'static str {
    match code {
        close::DRAIN => "le serveur redémarre, la passerelle se reconnecte d'elle-même",
        close::SUPERSEDED => "une session plus récente de cette passerelle a pris le relais",
        close::HEARTBEAT_LOST => {
            "plus rien n'est arrivé pendant trop longtemps : vérifiez la connexion Internet si \
             cela se répète"
        }
        close::SLOW_CONSUMER => {
            "l'autre côté ne lit plus : vérifiez le débit de la connexion si cela se répète"
        }
        close::RESYNC => "les deux journaux sont à comparer, la session recommence",
        close::OVERLOAD => "le serveur a trop à faire, la passerelle revient quand il l'a dit",
        close::MALFORMED => {
            "un message est illisible : mettez à jour la passerelle et le serveur si cela se répète"
        }
        close::UNAVAILABLE => {
            "l'autre côté ne peut rien enregistrer pour le moment : rien n'est perdu, la \
             passerelle réessaie"
        }
        close::ROTATE => {
            "le cloud demande une nouvelle clé, la passerelle en change et se reconnecte"
        }
        close::REVOKED => {
            "cette passerelle a été révoquée. Pour la remettre en service, demandez un code \
             dans la page Passerelles et lancez « fournil-gateway enrol --force »"
        }
        close::UNKNOWN_KEY => {
            "le cloud ne reconnaît pas la clé de cette passerelle. Enrôlez-la de nouveau avec \
             un code de la page Passerelles (« fournil-gateway enrol --force »)"
        }
        close::CLONE => {
            "une autre machine utilise la même identité. Enrôlez l'une des deux de nouveau"
        }
        close::VERSION => "versions incompatibles. Mettez à jour fournil-gateway sur cette machine",
        close::SUSPENDED => "le compte est suspendu. Adressez-vous à votre fournisseur",
        _ => UNKNOWN,
    }
}

const UNKNOWN: &str = "pour une raison que cette version ne connaît pas : mettez la passerelle à \
                       jour";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_has_a_sentence() {
        for code in close::ALL {
            assert_ne!(sentence(*code), UNKNOWN, "{code} has no sentence");
        }
        assert_eq!(sentence(4999), UNKNOWN);
    }
}
