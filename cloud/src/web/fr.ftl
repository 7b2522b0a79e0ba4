error-not-found = Cette page n'existe pas. Vérifiez l'adresse ou revenez au menu.
error-method = Cette adresse ne s'utilise pas ainsi.
error-sign-in = Connectez-vous pour continuer.
error-forbidden = Votre profil ne permet pas cette action ({ $permission }). Demandez l'accès à un administrateur.
error-stale-form = Ce formulaire a expiré. Rechargez la page et recommencez.
error-malformed = La demande est incomplète ou mal formée : { $detail }.
error-invalid = Un champ n'est pas correct. Corrigez-le et recommencez.
error-idempotency-key = La demande ne porte pas de clé d'opération. Rechargez la page et recommencez.
error-too-large = L'envoi est trop volumineux (limite : { $limit } octets).
error-too-many =
    Trop d'essais. Attendez { $seconds ->
        [one] { $seconds } seconde
       *[other] { $seconds } secondes
    } avant de recommencer.
error-unavailable = Le service est momentanément indisponible. Réessayez dans un instant.
error-internal = Une erreur interne s'est produite. Elle a été enregistrée ; réessayez, puis prévenez l'assistance si elle persiste.
error-contention = Une autre opération modifiait les mêmes données. Réessayez.
error-key-reused = Cette opération a déjà été faite avec un autre contenu. Rechargez la page et recommencez.
error-too-slow = L'envoi n'est pas arrivé à temps. Vérifiez la connexion et recommencez.
error-title = Un problème est survenu
error-reference = Référence à donner à l'assistance :
error-home = Revenir à l'accueil

layout-skip = Aller au contenu
layout-menu = Menu
layout-account = Mon compte
layout-sign-out = Se déconnecter
layout-confirm = Confirmer
layout-cancel = Annuler
