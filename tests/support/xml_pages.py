"""Pages of two lines, 200 x 100 pixels, as PAGE XML and as ALTO."""

# What a program that wrote the file again would lose: quotes, entities, comments, instructions, CDATA, odd white space.
PAGE_SOURCE = """<?xml version="1.0" encoding="UTF-8"?>
<?target keep='this'?>
<!-- a comment, <TextLine> and all -->
<pc:PcGts xmlns:pc="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"   xmlns:x='urn:other'>
  <pc:Metadata><pc:Creator>a &amp; b &#x2014; <![CDATA[<c>]]></pc:Creator></pc:Metadata>
  <pc:Page imageFilename='scan.png' imageWidth="200" imageHeight="100" >
    <pc:TextRegion id="r" custom="structure {type:paragraph;}">
      <pc:Coords points="0,0 200,0 200,100 0,100"/>
      <pc:TextLine id="a" custom='x > 1'>
        <pc:Coords points="10,20 190,30 190,50 10,40"/>
        <pc:Baseline points="10,38 190,48"/>
        <pc:TextEquiv comments=" conf='1' é " conf='0.1' ><pc:Unicode>Old &lt;text&gt;</pc:Unicode></pc:TextEquiv>
        <pc:TextStyle fontSize="9"/><x:TextLine/><x:Word/>
      </pc:TextLine>
      <pc:TextLine id="b">
        <pc:Coords points="10,60 180,60 180,80 10,80"/><!-- outline -->
        <pc:UserDefined/>
      </pc:TextLine>
    </pc:TextRegion>
  </pc:Page>
</pc:PcGts>
<!-- the end -->"""

ALTO_SOURCE = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">
\t<Description>
\t\t<MeasurementUnit>pixel</MeasurementUnit>
\t\t<sourceImageInformation><fileName> scan.png </fileName></sourceImageInformation>
\t</Description>
\t<ReadingOrder><OrderedGroup ID="o">
\t\t<ElementRef ID="o1" REF="s"/>
\t\t<ElementRef ID="o2" REF="s2"/>
\t\t<ElementRef ID="o3" REF="a"/>
\t</OrderedGroup></ReadingOrder>
\t<Layout>
\t\t<Page ID="p" WIDTH="200" HEIGHT="100" PHYSICAL_IMG_NR="1"><!-- &c; -->
\t\t\t<PrintSpace>
\t\t\t\t<TextBlock ID="t">
\t\t\t\t\t<TextLine ID='a' HPOS="10" VPOS="20" WIDTH="180" HEIGHT="30" BASELINE="10 38 190 48">
\t\t\t\t\t\t<Shape><Polygon POINTS="10 20 190 30 190 50 10 40"/></Shape>
\t\t\t\t\t\t<String ID="s" CONTENT="two" HPOS="10" WC="0.2"><Glyph CONTENT="t"/></String>
\t\t\t\t\t\t<SP WIDTH="4"/>
\t\t\t\t\t\t<String ID="s2" CONTENT="wor"/>
\t\t\t\t\t\t<HYP CONTENT="-"/>
\t\t\t\t\t</TextLine>
\t\t\t\t\t<TextLine HPOS="10" VPOS="60" WIDTH="170" HEIGHT="20"/>
\t\t\t\t</TextBlock>
\t\t\t</PrintSpace>
\t\t</Page>
\t</Layout>
</alto>
"""
