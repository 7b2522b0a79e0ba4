nav-group-shop = Magasin
till-nav = Caisse
till-nav-tickets = Tickets
till-title = Caisse
till-none-title = Aucune caisse
till-none-text = Aucune caisse n'est encore créée pour cette entreprise. Demandez à un administrateur d'en créer une.
till-closed-state = Caisse fermée
till-closed-text = Comptez le fonds de caisse pour ouvrir et commencer à vendre.
till-open-action = Ouvrir la caisse
till-close-action = Fermer la caisse
till-opened-since = Ouverte depuis le { $at }
till-opened-by = par { $by }
till-choose = Changer de caisse
till-search = Chercher un produit (nom ou code)
till-all = Tout
till-available = Stock : { $quantity }
till-short = Stock au comptoir : { $quantity }. Réduisez la quantité.
till-whole-only = « { $name } » se vend à la pièce : tapez un nombre entier, 1 ou plus.
till-goods = Produits
till-categories = Catégories
till-cart = Panier
till-cart-empty = Touchez un produit pour l'ajouter, ou tapez son code puis Entrée.
till-total = Total
till-total-da = Total (DA)
till-due = À payer (DA)
till-rounded = Total de { $total } DA, arrondi au dinar.
till-rounding = Arrondi au dinar
till-currency = DA
till-currency-per = DA/{ $unit }
till-pay = Encaisser
till-clear = Vider
till-cleared = Panier vidé.
till-undo = Rétablir
till-remove = Retirer
till-more = Ajouter un
till-less = Enlever un
till-quantity = Quantité
till-pay-title = Paiement en espèces
till-received = Reçu
till-exact = Compte exact
till-quick-amounts = Montants courants
till-pad = Pavé numérique
till-key-erase = Effacer le dernier chiffre
till-key-clear = Effacer tout
till-key-comma = Virgule
till-change = À rendre
till-given-back = Rendu
till-missing = Il manque
till-validate = Valider la vente
till-cancel = Annuler
till-sold-title = Vente enregistrée
till-next = Vente suivante
till-see-ticket = Voir le ticket
till-selling = Enregistrement…
till-offline = Pas de liaison avec le serveur. Le panier est gardé ; la vente n'est pas encore confirmée. Appuyez sur Réessayer : elle ne sera comptée qu'une fois.
till-fault = Le serveur a répondu par une erreur ({ $status }). Le panier est gardé ; la vente n'est pas encore confirmée. Appuyez sur Réessayer : elle ne sera comptée qu'une fois.
till-unsure = La vente n'est toujours pas confirmée, et le serveur répond : « { $answer } » Reconnectez-vous ou rechargez la page, puis appuyez sur Réessayer : elle ne sera comptée qu'une fois.
till-retry = Réessayer
till-reload = Recharger la page
till-abandon = Abandonner
till-abandon-title = Abandonner cette vente ?
till-abandon-text = Le serveur vérifie d'abord si la vente est enregistrée. Si elle l'est, son ticket s'affiche. Sinon elle est annulée pour de bon et le panier est gardé. Ne rendez ni la marchandise ni l'argent avant la réponse.
till-abandoned = Vente abandonnée : rien n'a été enregistré. Le panier est gardé.
till-abandon-failed = Le serveur n'a pas pu vérifier cette vente. Elle reste en attente : recommencez dans un instant.
till-pending = Une vente attend une réponse du serveur. Réessayez avant d'en commencer une autre.
till-no-match = Aucun produit ne correspond.
till-keys = F2 chercher · F4 vider · F9 encaisser · Entrée ajouter ou valider · Échap revenir
till-print-state = Ticket papier
till-open-title = Ouvrir la caisse
till-open-lead = Comptez les billets et les pièces qui sont dans le tiroir.
till-open-submit = Ouvrir la caisse
till-close-title = Fermer la caisse
till-close-lead =
    { $tickets ->
        [0] Aucun ticket dans cette session.
        [one] { $tickets } ticket dans cette session, { $sold } DA vendus.
       *[other] { $tickets } tickets dans cette session, { $sold } DA vendus.
    } Comptez le tiroir.
till-close-submit = Fermer la caisse
till-expected-opening = Compté à la dernière fermeture
till-expected-closing = Théorique
till-denomination = Billet ou pièce
till-pieces = Nombre
till-amount = Montant
till-counted = Compté
till-difference = Écart
till-reason = Motif de l'écart
till-reason-hint = Obligatoire quand le compte diffère du montant attendu.
till-count-needs-script = Les sommes sont vérifiées à l'envoi.
till-closed-title = Caisse fermée
till-closed-exact = Le compte est juste.
till-closed-off = L'écart est enregistré avec son motif et passé en comptabilité.
till-back = Retour à la caisse
till-tickets-title = Tickets
till-tickets-day = Jour
till-tickets-code = Numéro
till-tickets-filter = Filtrer
till-tickets-empty = Aucun ticket pour ce choix.
till-tickets-next = Tickets plus anciens
till-col-code = Numéro
till-col-time = Date et heure
till-col-till = Caisse
till-col-cashier = Vendeur
till-col-total = Total (DA)
till-col-product = Produit
till-col-quantity = Quantité
till-col-price = Prix
till-col-line-total = Montant
till-ticket-title = Ticket
till-ticket-number = Ticket { $code }
till-ticket-reprint = Réimprimer (duplicata)
till-unprinted =
    { $count ->
        [one] { $count } reçu pas encore imprimé
       *[other] { $count } reçus pas encore imprimés
    }
till-paper-title = Papier
till-paper-copies = Duplicatas demandés : { $copies }
till-paper-copy = Dernier duplicata
till-receipt-ticket = Ticket
till-receipt-till = Caisse
till-receipt-cashier = Vendeur
till-receipt-total = TOTAL (DA)
till-receipt-rounding = Arrondi
till-receipt-due = À payer
till-receipt-cash = Espèces
till-receipt-change = Rendu
till-receipt-articles = Nombre d'articles : { $count }
till-receipt-thanks = Merci de votre visite
till-entry-sale = Vente { $code }
till-entry-cost = Coût de la vente { $code }
till-entry-float = Fonds de caisse, { $till }
till-entry-difference = Écart de caisse, { $till }
till-session-already-open = Une session est déjà ouverte sur cette caisse ({ $by }). Fermez-la avant d'en ouvrir une autre.
till-session-not-open = La caisse n'est pas ouverte, ou elle vient d'être fermée. Rechargez la page et ouvrez la caisse.
till-reason-needed = Le compte diffère de { $difference } DA. Recomptez, ou écrivez le motif de l'écart.
till-bad-count = Le comptage contient une valeur qui n'est pas un nombre entier de billets ou de pièces.
till-empty-ticket = Le panier est vide. Ajoutez au moins un produit.
till-too-many-lines = Le panier a trop de lignes. Vendez en deux tickets.
till-not-sold = Un produit du panier n'est plus en vente. Rechargez la page.
till-bad-quantity = La quantité de « { $name } » n'est pas possible. Corrigez-la.
till-price-changed = Le prix de « { $name } » a changé : { $now } DA et non { $shown } DA. Rechargez la page pour vendre au bon prix.
till-insufficient =
    Stock insuffisant pour « { $name } » : il reste { $unit ->
        [pc] { $count ->
            [one] { $available } pièce
           *[other] { $available } pièces
        }
       *[other] { $available } { $unit }
    }. Réduisez la quantité.
till-not-enough-money = Le montant reçu ({ $received } DA) ne couvre pas le montant à payer ({ $due } DA).
till-nothing-due = Le total arrondi au dinar est nul. Augmentez la quantité.
till-no-gateway = Ce magasin n'a pas de passerelle en service : aucun duplicata n'est demandé. Mettez une passerelle en service, puis recommencez.
act-till-add = Caisse créée
act-till-open = Ouverture de caisse
act-till-close = Fermeture de caisse
act-ticket-reprint = Réimpression d'un ticket
act-ticket-abandon = Vente abandonnée sans ticket

subject-ticket = Ticket
subject-till = Caisse
subject-cash-session = Session de caisse
detail-float = Fonds de caisse
detail-difference = Écart
detail-theoretical = Théorique
detail-counted = Compté
detail-total = Total
detail-code = Numéro
detail-reason = Motif
