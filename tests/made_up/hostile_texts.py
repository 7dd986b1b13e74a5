"""What a dataset, a model or a judge may write to break a page that shows it."""

HOSTILE_TEXTS = (
    "<script>window.ran = 1</script>",
    "</script><script>window.ran = 2</script>",
    "<!--<script>window.ran = 3//",
    '<img src=x onerror="window.ran = 4"><img src="http://127.0.0.1:9/pixel.png">',
    '"><svg onload=window.ran=5><iframe srcdoc="<script>parent.ran=5</script>">',
    "' onmouseover='window.ran = 6' autofocus onfocus='window.ran = 6' x='",
    '<a href="javascript:window.ran=7">read more</a> [read more](javascript:window.ran=7)',
    "javascript:window.ran=8",
    "</title></style></textarea></details></main></body></html><h1>the end</h1>",
    "{{ 7 * 191 }} {% for x in y %} ${window.ran = 9} <%= 7 * 191 %> #{7 * 191}",
    "line\u2028window.ran = 10;\u2029paragraph",
    "right to left \u202edesrever si siht\u2066 isolated \u202c",
    "bell \x07 escape \x1b[31m null \x00 delete \x7f next line \x85 byte order \ufeff zero \u200b width",
    "tags \U000e0041\U000e0042 soft\u00adhyphen carriage\rreturn",
    "<style>body { display: none }</style><link rel=stylesheet href=http://127.0.0.1:9/a.css>",
    '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/"><base href="http://127.0.0.1:9/">',
    '<form action="http://127.0.0.1:9/"><button formaction="javascript:window.ran=11">go</button></form>',
    "]]> &lt;script&gt;window.ran = 12&lt;/script&gt; &#x3c;b&#x3e; \\u003cscript\\u003e",
    "__proto__",
    "constructor",
    "اللغة العربية مع English وكلمات 123 ‏و\u200fعلامات",  # noqa: RUF001 (Arabic letters are meant)
    "한국어 中文 日本語 हिन्दी ไทย 👩‍👩‍👧‍👦 🏳️‍🌈 Z̸̢̛̖̬͙͉̪͔͛͗̔͝a̴̛͚͓̠͙̟͑̈́l̶̢̯̝̎g̷̨̙̦͈̓ơ̴̦͆",
    "W" * 3_000,
    "\n\n\n\t\t   \n",
)
