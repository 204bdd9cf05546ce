"""XMP data: what stays true of an image after it was fused."""

from xml.dom import Node, minidom
from xml.parsers.expat import ExpatError

JPEG_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
"""What the segment of a JPEG file begins with."""
PNG_KEYWORD = b"XML:com.adobe.xmp"
TIFF_TAG = 700

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_EVERY = "*"
_DROPPED = {
    # Of the file: its format, its identity, its history, its previews and the rest of its XMP data.
    "http://purl.org/dc/elements/1.1/": ("format",),
    _XMP: ("CreatorTool", "ModifyDate", "MetadataDate", "Thumbnails"),
    _XMP + "mm/": (_EVERY,),
    _XMP + "g/img/": (_EVERY,),
    "http://ns.adobe.com/xmp/note/": (_EVERY,),
    # Of the pixels: sizes, samples, the orientation and the color space.
    "http://ns.adobe.com/tiff/1.0/": (
        *("ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation", "Orientation"),
        *("SamplesPerPixel", "PlanarConfiguration", "YCbCrSubSampling", "YCbCrPositioning", "YCbCrCoefficients"),
        *("TransferFunction", "WhitePoint", "PrimaryChromaticities", "ReferenceBlackWhite", "NativeDigest"),
        *("ImageDescription", "Software", "DateTime"),
    ),
    "http://ns.adobe.com/exif/1.0/": (
        *("PixelXDimension", "PixelYDimension", "ColorSpace", "ComponentsConfiguration", "CompressedBitsPerPixel"),
        *("NativeDigest",),
    ),
    "http://ns.adobe.com/photoshop/1.0/": ("ColorMode", "ICCProfile", "History", "DocumentAncestors", "TextLayers"),
    # Edits, which software would make again, and images and depths inside the file.
    "http://ns.adobe.com/camera-raw-settings/1.0/": (_EVERY,),
    "http://ns.google.com/photos/1.0/image/": (_EVERY,),
    "http://ns.google.com/photos/1.0/depthmap/": (_EVERY,),
    "http://ns.google.com/photos/1.0/container/": (_EVERY,),
    "http://ns.google.com/photos/1.0/camera/": (_EVERY,),
    "http://ns.google.com/photos/dd/1.0/device/": (_EVERY,),
}
"""The properties that are not true of a fused image, by their namespaces. All others are kept."""

_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>'


def kept(packet: bytes) -> bytes:
    """Return XMP data without the properties that are not true of a fused image.

    Args:
        packet: the XMP data of an image file.

    Returns:
        XMP data in UTF-8; empty if no property is left, or if it is damaged.
    """
    # No XMP data has a document type, with which entities could grow without end.
    if not packet or b"<!DOCTYPE" in packet:
        return b""
    try:
        document = minidom.parseString(packet.strip(b"\0 \t\r\n"))
    except (ExpatError, ValueError):
        return b""
    root = document.documentElement
    descriptions = root.getElementsByTagNameNS(_RDF, "Description") if root else []
    properties = 0
    for description in descriptions:
        for attribute in list(description.attributes.values()):
            if _is_dropped(attribute):
                description.removeAttributeNode(attribute)
            elif attribute.namespaceURI not in (None, _RDF, "http://www.w3.org/2000/xmlns/"):
                properties += 1
        for child in [node for node in description.childNodes if node.nodeType == Node.ELEMENT_NODE]:
            if _is_dropped(child):
                description.removeChild(child)
            else:
                properties += 1
    return f"{_BEGIN}{root.toxml()}{_END}".encode() if root and properties else b""


def _is_dropped(node: minidom.Attr | minidom.Element) -> bool:
    names = _DROPPED.get(node.namespaceURI or "", ())
    return _EVERY in names or node.localName in names
