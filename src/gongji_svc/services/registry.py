"""RegistryService: people, institutions, the catalogue and the rules."""

from gongji_svc.services.auditing import list_audit_records
from gongji_svc.services.persons import get_person, read_batch_put_persons, read_put_person
from gongji_svc.services.places import (
    PutInstitution,
    get_institution,
    list_catalog_items,
    read_put_catalog_items,
)
from gongji_svc.services.policies import get_policy, list_policies

COMMANDS = {
    "PutPerson": read_put_person,
    "BatchPutPersons": read_batch_put_persons,
    "PutInstitution": PutInstitution,
    "PutCatalogItems": read_put_catalog_items,
}
READS = {
    "GetPerson": get_person,
    "GetInstitution": get_institution,
    "ListCatalogItems": list_catalog_items,
    "GetPolicy": get_policy,
    "ListPolicies": list_policies,
    "ListAuditRecords": list_audit_records,
}
