//! SCIM 2.0 as values: schemas, resources, filters, paths, PATCH, errors, lists, bulk.
