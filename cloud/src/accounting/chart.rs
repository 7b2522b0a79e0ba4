//! The accounts of the Algerian chart (SCF, order of 26 July 2008, JO n° 19 of
//! 25 March 2009) that the program posts to, with the names stored for a new company.

/// Codes that the program's own rules use.
pub mod account {
    pub const CAPITAL: &str = "101";
    pub const MERCHANDISE: &str = "30";
    pub const RAW_MATERIALS: &str = "31";
    pub const PACKAGING: &str = "326";
    pub const INTERMEDIATE_GOODS: &str = "351";
    pub const FINISHED_GOODS: &str = "355";
    /// Shared by all tills; each line says whose share it is.
    pub const CASH: &str = "531";
    pub const MERCHANDISE_SOLD: &str = "600";
    pub const MATERIALS_USED: &str = "601";
    pub const SUPPLIES_USED: &str = "602";
    pub const OTHER_CHARGES: &str = "658";
    pub const SALES_OF_MERCHANDISE: &str = "700";
    pub const SALES_OF_FINISHED: &str = "701";
    pub const SALES_OF_INTERMEDIATE: &str = "702";
    pub const CHANGE_OF_PRODUCTS: &str = "724";
    pub const OTHER_INCOME: &str = "758";
}

/// Every account a company begins with.
pub(super) const CHART: &[(&str, &str)] = &[
    ("101", "Capital"),
    ("108", "Compte de l'exploitant"),
    ("120", "Résultat de l'exercice (bénéfice)"),
    ("129", "Résultat de l'exercice (perte)"),
    ("215", "Installations techniques et matériel"),
    ("218", "Autres immobilisations corporelles"),
    ("30", "Stocks de marchandises"),
    ("31", "Matières premières et fournitures"),
    ("322", "Fournitures consommables"),
    ("326", "Emballages"),
    ("351", "Produits intermédiaires"),
    ("355", "Produits finis"),
    ("380", "Marchandises stockées"),
    ("381", "Matières premières et fournitures stockées"),
    ("382", "Autres approvisionnements stockés"),
    ("401", "Fournisseurs de stocks et services"),
    ("411", "Clients"),
    ("4191", "Avances reçues sur commandes"),
    ("421", "Personnel, rémunérations dues"),
    ("425", "Personnel, avances et acomptes accordés"),
    ("431", "Sécurité sociale"),
    ("442", "État, impôts recouvrables sur des tiers"),
    ("4456", "TVA récupérable"),
    ("4457", "TVA collectée"),
    ("455", "Associés, comptes courants"),
    ("467", "Autres comptes débiteurs ou créditeurs"),
    ("512", "Banques, comptes courants"),
    ("531", "Caisse principale"),
    ("581", "Virements internes"),
    ("600", "Achats de marchandises vendues"),
    ("601", "Matières premières consommées"),
    ("602", "Autres approvisionnements consommés"),
    ("607", "Achats non stockés de matières et fournitures"),
    ("613", "Locations"),
    ("615", "Entretien, réparations et maintenance"),
    ("631", "Rémunérations du personnel"),
    ("635", "Cotisations aux organismes sociaux"),
    ("657", "Charges exceptionnelles de gestion courante"),
    ("658", "Autres charges de gestion courante"),
    ("700", "Ventes de marchandises"),
    ("701", "Ventes de produits finis"),
    ("702", "Ventes de produits intermédiaires"),
    ("708", "Produits des activités annexes"),
    ("724", "Variation de stocks de produits"),
    ("757", "Produits exceptionnels sur opérations de gestion"),
    ("758", "Autres produits de gestion courante"),
];
