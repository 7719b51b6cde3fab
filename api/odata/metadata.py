"""``$metadata``: the sets and the types of their entities, as an OData 4.0 client reads them (EDMX)."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # It writes; it reads nothing.

from api.odata.properties import Type
from api.odata.sets import SETS

NAMESPACE = "Pressroom"
EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
EDM = "http://docs.oasis-open.org/odata/ns/edm"


def document() -> bytes:
    """Return the whole document."""
    root = ET.Element("edmx:Edmx", {"xmlns:edmx": EDMX, "Version": "4.0"})
    schema = ET.SubElement(ET.SubElement(root, "edmx:DataServices"), "Schema", {"xmlns": EDM, "Namespace": NAMESPACE})
    # Sample data, options and the like: whatever members their authors gave them.
    ET.SubElement(schema, "ComplexType", {"Name": Type.OBJECT.removeprefix(f"{NAMESPACE}."), "OpenType": "true"})
    for one in SETS.values():
        described = ET.SubElement(schema, "EntityType", {"Name": one.entity})
        ET.SubElement(ET.SubElement(described, "Key"), "PropertyRef", {"Name": one.key.name})
        for each in one.properties.values():
            facets = {"Name": each.name, "Type": str(each.type)}
            if each.type is Type.DATE:
                facets["Precision"] = "6"
            if not each.nullable:
                facets["Nullable"] = "false"
            ET.SubElement(described, "Property", facets)
    container = ET.SubElement(schema, "EntityContainer", {"Name": "Container"})
    for one in SETS.values():
        ET.SubElement(container, "EntitySet", {"Name": one.name, "EntityType": f"{NAMESPACE}.{one.entity}"})
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written
