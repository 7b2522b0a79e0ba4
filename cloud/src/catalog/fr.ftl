nav-group-goods = Produits et stock
catalog-nav = Catalogue
catalog-title = Catalogue
catalog-search = Nom ou code
catalog-filter = Filtrer
catalog-kind = Type
catalog-kind-all = Tous les types
catalog-kind-finished = Produit fini
catalog-kind-intermediate = Produit intermédiaire
catalog-kind-ingredient = Ingrédient
catalog-kind-consumable = Consommable
catalog-kind-resale = Revente
catalog-unit =
    { $unit ->
        [pc] pièce
       *[other] { $unit }
    }
catalog-quantity =
    { $unit ->
        [pc] { $count ->
            [one] { $quantity } pièce
           *[other] { $quantity } pièces
        }
       *[other] { $quantity } { $unit }
    }
catalog-col-code = Code
catalog-col-name = Produit
catalog-col-category = Catégorie
catalog-col-unit = Unité
catalog-col-price = Prix (DA)
catalog-col-new-price = Nouveau prix
catalog-not-sold = Non vendu
catalog-inactive = Retiré
catalog-change-price = Changer
catalog-new-price-of = Nouveau prix de { $name }
catalog-empty = Aucun produit pour ce choix.
catalog-next = Produits suivants
catalog-price-unreadable = « { $typed } » n'est pas un montant. Écrivez par exemple 1 250,50.
catalog-price-changed = Prix changé : { $name }, { $price } DA.
catalog-price-needed = Le prix doit être supérieur à zéro.
catalog-price-moved = Le prix a été changé entre-temps : il est de { $now } DA et non { $shown } DA. Vérifiez, puis validez à nouveau.
catalog-units-disagree = Les unités { $from } et { $to } ne se convertissent pas avec ce facteur.
act-catalog-price = Changement de prix

subject-product = Produit
detail-before = Avant
detail-after = Après
